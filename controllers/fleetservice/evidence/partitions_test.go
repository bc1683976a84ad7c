package evidence

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"movieexample.com/fleet/controllers/fleetservice/signals"
	"movieexample.com/fleet/controllers/fleetservice/verdict"
)

// reads lets a pod end events of a partition.
func (w *world) reads(uid string, partition int32, events, bad int64) {
	w.ends(uid, events, bad)
	p := w.pod(uid)
	if p.split == nil {
		p.split = map[int32]signals.Total{}
	}
	t := p.split[partition]
	p.split[partition] = signals.Total{Requests: t.Requests + events, Bad: t.Bad + bad}
}

// consuming is a world whose stable pod has read three partitions, and as many bad events as it says of the first.
func consuming(ever, bad int64, canary int) *world {
	w := newWorld(1, canary)
	for partition := range int32(3) {
		w.reads("sa", partition, ever, 0)
	}
	p := w.pod("sa")
	p.said[signals.Errors] = signals.Total{Requests: 3 * ever, Bad: bad}
	p.split[0] = signals.Total{Requests: ever, Bad: bad}
	for _, p := range w.pods {
		if p.split == nil {
			p.split = map[int32]signals.Total{}
		}
	}
	return w
}

// TestOnePartition: what speaks against a consumer's canary may be the data of one partition.
func TestOnePartition(t *testing.T) {
	for _, c := range []struct {
		name   string
		world  func() *world
		second func(w *world) // what the canary and stable do
		reason verdict.Reason
		words  string
	}{
		{
			"bad in all of its partitions",
			func() *world { return consuming(1000, 0, 1) },
			func(w *world) {
				for partition := range int32(3) {
					w.reads("ca", partition, 10, 1)
				}
			},
			verdict.Worse, "tolerated",
		},
		{
			"bad in one of three",
			func() *world { return consuming(1000, 0, 1) },
			func(w *world) { w.reads("ca", 0, 10, 3); w.reads("ca", 1, 10, 0); w.reads("ca", 2, 10, 0) },
			verdict.OnePart, "rests on partition 0 alone, 57 of 190 bad there and 0 of 380 bad in the others that it reads: the data may be the fault",
		},
		{
			"bad in its only partition, which stable read well",
			func() *world { return consuming(1000, 1, 1) },
			func(w *world) { w.reads("ca", 0, 10, 1) },
			verdict.Worse, "tolerated",
		},
		{
			"bad in its only partition, as stable was",
			func() *world { return consuming(1000, 100, 1) },
			func(w *world) { w.reads("ca", 0, 10, 1) },
			verdict.OnePart, "rests on partition 0 alone, 19 of 190 bad there, where the stable revision had 100 of 1000 bad: the data may be the fault",
		},
		{
			"worse in its only partition than stable was",
			func() *world { return consuming(1000, 100, 1) },
			func(w *world) { w.reads("ca", 0, 10, 5) },
			verdict.Worse, "tolerated",
		},
		{
			"bad in its only partition, of which nothing is known",
			func() *world { return consuming(0, 0, 1) },
			func(w *world) { w.reads("ca", 0, 10, 1) },
			verdict.Worse, "tolerated",
		},
		{
			"nearly all events are in one partition, which stable read well",
			func() *world { return consuming(1000, 0, 1) },
			func(w *world) { w.reads("ca", 0, 30, 3); w.reads("ca", 1, 1, 0) },
			verdict.Worse, "tolerated",
		},
		{
			"two pods, and one partition is bad",
			func() *world { return consuming(1000, 0, 2) },
			func(w *world) { w.reads("ca", 0, 10, 3); w.reads("cb", 1, 10, 0); w.reads("cb", 2, 10, 0) },
			verdict.OnePart, "rests on partition 0 alone",
		},
		{
			"two pods, and one of them is bad in all of its partitions",
			func() *world { return consuming(1000, 0, 2) },
			func(w *world) {
				w.reads("ca", 0, 10, 3)
				w.reads("ca", 1, 10, 3)
				w.reads("cb", 2, 10, 0)
				w.reads("cb", 3, 10, 0)
			},
			verdict.OnePod, "rests on pod ca alone",
		},
		{
			"no partitions are told",
			func() *world { return newWorld(1, 1) },
			func(w *world) { w.ends("ca", 10, 1) },
			verdict.Worse, "tolerated",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, b := c.world(), begin(t, release())
			for range 20 {
				if w.pod("sa").split != nil {
					w.reads("sa", 11, 90, 0)
				} else {
					w.ends("sa", 90, 0)
				}
				if w.now.After(began.Add(5 * time.Second)) { // the canary has nothing at the first reading
					c.second(w)
				}
				b.Add(w.after(time.Second).reading(), at(10))
				b = reload(t, b)
			}
			c.second(w)
			w.run(b, at(10), 1, flow{})
			if j := b.Judge(Question{Next: 20}); j.Reason != c.reason || !strings.Contains(j.Message, c.words) {
				t.Errorf("Judge() = %s (%s), want %s with %q", j.Reason, j.Message, c.reason, c.words)
			}
		})
	}
}

// TestWhatStableDidLately: where stable ended enough of a partition since the release began, that counts and not the years
// before.
func TestWhatStableDidLately(t *testing.T) {
	for _, c := range []struct {
		name       string
		ever       [2]int64 // events and bad ones before the release
		lately     int64    // bad ones of 200 since
		wantReason verdict.Reason
	}{
		{"fine for long, bad lately", [2]int64{100_000, 0}, 20, verdict.OnePart},
		{"bad once, fine lately", [2]int64{1000, 200}, 0, verdict.Worse},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, b := consuming(c.ever[0], c.ever[1], 1), begin(t, release())
			b.Add(w.reading(), Position{})
			w.reads("sa", 0, 200, c.lately)
			b.Add(w.after(time.Second).reading(), Position{})
			b.Add(w.after(time.Second).reading(), at(10))
			for range 20 {
				w.reads("ca", 0, 10, 1)
				w.reads("sa", 1, 90, 0)
				b.Add(w.after(time.Second).reading(), at(10))
			}
			if j := b.Judge(Question{}); j.Reason != c.wantReason {
				t.Errorf("Judge() = %s (%s), want %s", j.Reason, j.Message, c.wantReason)
			}
		})
	}
}

// TestOnePartitionAlone: a canary that took the only partition is held to its objective, but not for what stable met there too.
func TestOnePartitionAlone(t *testing.T) {
	r := release()
	r.Params.Alone = true
	for name, c := range map[string]struct {
		before int64
		want   verdict.Reason
	}{"stable was fine": {0, verdict.Worse}, "stable was as bad": {100, verdict.OnePart}} {
		t.Run(name, func(t *testing.T) {
			w, b := consuming(1000, c.before, 1), begin(t, r)
			b.Add(w.reading(), Position{})
			w.pods = slices.DeleteFunc(w.pods, func(p *pod) bool { return p.uid == "sa" })
			b.Add(w.after(time.Second).reading(), at(99))
			for range 20 {
				w.reads("ca", 0, 10, 1)
				b.Add(w.after(time.Second).reading(), at(99))
			}
			if j := b.Judge(Question{}); j.Reason != c.want {
				t.Errorf("Judge() = %s (%s), want %s", j.Reason, j.Message, c.want)
			}
		})
	}
}

// TestSplitLosesNothing: whatever pages do, no look is impossible, and what is known by partition is never more than there is.
func TestSplitLosesNothing(t *testing.T) {
	w, b := consuming(1000, 0, 2), begin(t, release())
	rng := rand.New(rand.NewPCG(9, 9))
	b.Add(w.reading(), at(10))
	for second := range 300 {
		for _, uid := range []string{"ca", "cb", "sa"} {
			p := w.pod(uid)
			p.err = ""
			switch rng.IntN(12) {
			case 0:
				p.err = "timeout"
			case 1: // it begins anew
				p.began, p.said, p.split = w.now, map[string]signals.Total{signals.Errors: {}}, map[int32]signals.Total{}
			case 2: // a series goes back
				p.split[1] = signals.Total{}
			case 3:
				p.split = nil
			}
			events := rng.Int64N(30)
			w.reads(uid, rng.Int32N(4), events, rng.Int64N(events+1))
		}
		b.Add(w.after(time.Second).reading(), at(10))
		if second%10 == 0 {
			b = reload(t, b)
		}
		if b.state.Trouble != "" {
			t.Fatalf("second %d: %s", second, b.state.Trouble)
		}
	}
	sum := b.state.Parts.of(0, b.state.Parts.numbers())
	if all := b.state.Canary.at(0); sum.Requests > all.Requests || sum.Bad > all.Bad || sum.Requests == 0 {
		t.Errorf("the partitions have %v, the canary %v; want no more and not nothing", sum, all)
	}
}

// TestBookFromBeforePartitions: evidence that an older operator saved goes on; what is counted from then on is split.
func TestBookFromBeforePartitions(t *testing.T) {
	w, b := consuming(1000, 0, 1), begin(t, release())
	b.Add(w.reading(), at(10))
	w.reads("ca", 0, 50, 0)
	w.reads("sa", 0, 90, 0)
	w.run(b, at(10), 1, flow{})
	raw, err := b.Save()
	if err != nil {
		t.Fatal(err)
	}
	var old map[string]any
	if err := json.Unmarshal(raw, &old); err != nil {
		t.Fatal(err)
	}
	state := old["state"].(map[string]any)
	delete(state, "partitions")
	delete(state, "history")
	for _, p := range state["pods"].(map[string]any) {
		delete(p.(map[string]any), "split")
	}
	if raw, err = json.Marshal(old); err != nil {
		t.Fatal(err)
	}
	if b, err = Load(release(), raw); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		w.reads("ca", 0, 10, 0)
		w.reads("sa", 0, 90, 0)
		b.Add(w.after(time.Second).reading(), at(10))
	}
	if got, want := b.state.Parts.of(0, []int32{0}), counted(10, 0); got != want {
		t.Errorf("partition 0 has %v of the canary's, want %v: those of the first reading were not known by partition before", got, want)
	}
	if got, want := b.state.History.of(0, []int32{0}), counted(1000+270, 0); got != want {
		t.Errorf("stable had %v of partition 0, want all that it says: %v", got, want)
	}
}

// TestPartitionsAreBounded: a hostile page costs no more than a large topic, and the saved book fits into a ConfigMap.
func TestPartitionsAreBounded(t *testing.T) {
	w, b := newWorld(1, 1), begin(t, release())
	for second := range 20 {
		for _, uid := range []string{"sa", "ca"} {
			for partition := range int32(1000) {
				w.reads(uid, int32(second)*1000+partition, 1_000_000, 0)
			}
		}
		b.Add(w.after(time.Second).reading(), at(10))
	}
	raw, err := b.Save()
	if err != nil {
		t.Fatal(err)
	}
	if most := 1 << 20; len(raw) > most {
		t.Errorf("the book of a page with ever new partitions has %d bytes, want at most %d", len(raw), most)
	}
	if _, err := Load(release(), raw); err != nil {
		t.Errorf("Load(Save()) = %v", err)
	}
}

// TestSimulatePoison: one of twelve partitions has data that are bad in whoever reads them. A release with the partition is
// not taken back, however many of them it reads, and one that breaks events is, as fast as without partitions.
func TestSimulatePoison(t *testing.T) {
	const runs, partitions, minutes = 21, 12, 5
	for _, reads := range []int32{1, 3} {
		for _, poison := range []float64{0.05, 0.3, 1} {
			t.Run(fmt.Sprintf("%d partitions, %g of one bad", reads, poison), func(t *testing.T) {
				wrong := 0
				for run := range runs {
					rng := rand.New(rand.NewPCG(11, uint64(run)))
					if simulateTrial(t, rng, reads, partitions, 60*minutes, func(partition int32, _ bool) float64 {
						return map[bool]float64{true: poison, false: 0.001}[partition == 0]
					}) > 0 {
						wrong++
					}
				}
				if wrong > 3 {
					t.Errorf("%d of %d good releases were taken back for the data of one partition, want at most 3: 2 %% explain no more", wrong, runs)
				}
			})
		}
		t.Run(fmt.Sprintf("%d partitions, a bad release", reads), func(t *testing.T) {
			var took []int
			for run := range runs {
				rng := rand.New(rand.NewPCG(12, uint64(run)))
				took = append(took, simulateTrial(t, rng, reads, partitions, 300, func(_ int32, canary bool) float64 {
					return map[bool]float64{true: 0.1, false: 0.001}[canary]
				}))
			}
			t.Logf("median %d s, of %v", median(took), took)
			if got := median(took); got == 0 || got > 12 {
				t.Errorf("taken back after a median of %d s, want within 12", got)
			}
		})
	}
}

// simulateTrial lets stable read all partitions for half a minute, at 100 events a second, and then the canary so many of
// them. It returns the second of the trial in which the canary was taken back, 0 if it was not.
func simulateTrial(t *testing.T, rng *rand.Rand, reads, partitions int32, seconds int, rate func(partition int32, canary bool) float64) int {
	w, b := consuming(0, 0, 1), begin(t, release())
	percent := at(all * reads / partitions)
	second := func(has int32, at Position) {
		for range 100 {
			partition := rng.Int32N(partitions)
			bad := int64(0)
			if rng.Float64() < rate(partition, partition < has) {
				bad = 1
			}
			w.reads(map[bool]string{true: "ca", false: "sa"}[partition < has], partition, 1, bad)
		}
		b.Add(w.after(time.Second).reading(), at)
	}
	for range 30 {
		second(0, Position{})
	}
	percent.Since = w.now
	for n := range seconds {
		second(reads, percent)
		if b.Judge(Question{}).Action == verdict.Rollback {
			return n + 1
		}
	}
	return 0
}
