package evidence

import (
	"math/rand/v2"
	"testing"
	"time"

	"movieexample.com/fleet/controllers/fleetservice/signals"
	"movieexample.com/fleet/controllers/fleetservice/verdict"
)

// troubled is whether a canary is convicted that has six of twelve partitions while each try of any of them fails by a chance, as
// with a database that is overloaded, and who says that it waits.
func troubled(t *testing.T, seed uint64, chance float64, waiting ...string) bool {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 1))
	w, b := consuming(100_000, 0, 1), begin(t, release())
	for second := range 60 {
		for p := range int32(12) {
			who, bad := "sa", int64(0)
			if p < 6 {
				who = "ca"
			}
			for second >= 10 && r.Float64() < chance {
				bad += 100 // the batch of this second
			}
			w.reads(who, p, 100+bad, bad)
		}
		if second == 10 {
			for _, uid := range waiting {
				w.pod(uid).waits = signals.Database
			}
		}
		b.Add(w.after(time.Second).reading(), at(10))
		if b.Judge(Question{Next: 20}).Reason == verdict.Worse {
			return true
		}
	}
	return false
}

// TestSharedOutageOfConsumers: what both revisions say that they wait for convicts neither, though by chance it fails more
// batches of the canary's; who waits alone is convicted.
func TestSharedOutageOfConsumers(t *testing.T) {
	both, alone := 0, 0
	for seed := range uint64(50) {
		if troubled(t, seed, 0.1, "sa", "ca") {
			both++
		}
		if troubled(t, seed, 0.1, "ca") {
			alone++
		}
	}
	if both > 0 || alone == 0 {
		t.Errorf("%d of 50 convicted while both wait, want none; %d while the canary alone does, want some", both, alone)
	}
}
