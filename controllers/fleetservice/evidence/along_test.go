package evidence

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"movieexample.com/fleet/controllers/fleetservice/signals"
	"movieexample.com/fleet/controllers/fleetservice/verdict"
)

// alongside is a shadow at the end of two partitions, beside a stable that is so many events behind in each.
type alongside struct {
	*world

	b *Book
	// bad are the events that are so for whoever reads them, by offset of either partition.
	bad func(offset int64) bool
	// fails are those that are so for the shadow only.
	fails func(partition int32, offset int64) bool
}

func newAlongside(t *testing.T, behind int64) *alongside {
	t.Helper()
	w := &alongside{world: newWorld(1, 1), b: alongBook(t), bad: func(int64) bool { return false }, fails: func(int32, int64) bool { return false }}
	w.pod("ca").next = map[int32]int64{0: 1000, 1: 1000}
	w.pod("sa").next = map[int32]int64{0: 1000 - behind, 1: 1000 - behind}
	return w
}

// alongRelease is one whose canary reads along.
func alongRelease() Release {
	return Release{Canary: "new", Stable: "old", Began: began, Uneven: true, Along: true, Params: verdict.Params{
		Signals: []verdict.Signal{{Name: signals.Errors, Tolerance: 1.5, Objective: 0.01}},
		Weights: []float64{0.25, 0.5, 1}, FalseRollback: 0.01, FalsePromote: 0.05,
	}}
}

func alongBook(t *testing.T) *Book {
	t.Helper()
	b, err := New(alongRelease())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// reads lets a pod read so many events of each partition.
func (w *alongside) reads(uid string, events int64) {
	p := w.pod(uid)
	for partition := range int32(2) {
		for range events {
			offset := p.next[partition]
			bad := w.bad(offset) || (uid == "ca" && w.fails(partition, offset))
			w.ends(uid, 1, int64(boolean(bad)))
			p.next[partition]++
		}
	}
}

func boolean(is bool) int {
	if is {
		return 1
	}
	return 0
}

// pass lets seconds pass in which the shadow reads 50 events a partition and stable so many.
func (w *alongside) pass(seconds int, stable int64) Judgement {
	at := Position{Percent: 50, Since: began.Add(5 * time.Second)}
	for range seconds {
		w.reads("ca", 50)
		w.reads("sa", stable)
		w.b.Add(w.after(time.Second).reading(), at)
	}
	return w.b.Judge(Question{Next: 25, Now: w.now, MaxStep: 10 * time.Minute})
}

// TestAlong: data that are bad in whoever reads them speak against nobody, however far stable is behind when the shadow comes
// to them; a shadow that is bad itself is convicted as soon as stable has read what it has.
func TestAlong(t *testing.T) {
	burst := func(offset int64) bool { return offset >= 1200 && offset < 1500 && offset%2 == 0 }
	tenth := func(_ int32, offset int64) bool { return offset%10 == 0 }
	for name, c := range map[string]struct {
		behind      int64
		bad         func(int64) bool
		fails       func(int32, int64) bool
		then, later verdict.Action // after 20 s of stable at 50 a second a partition, and after 40 s more at 125
		words       string         // of the first
	}{
		"good, abreast":       {0, nil, nil, verdict.Promote, verdict.Promote, ""},
		"good, stable behind": {1500, nil, nil, verdict.Hold, verdict.Promote, "; 3000 records that it has read the stable revision has not"},
		"bad data, abreast":   {0, burst, nil, verdict.Promote, verdict.Promote, ""},
		"bad data, behind":    {1500, burst, nil, verdict.Hold, verdict.Hold, "they count when it has"},
		"bad, abreast":        {0, nil, tenth, verdict.Rollback, verdict.Rollback, ""},
		"bad, stable behind":  {1500, nil, tenth, verdict.Hold, verdict.Rollback, "they count when it has"},
		"bad on what one partition alone carries": {0, nil, func(p int32, offset int64) bool { return p == 1 && offset%5 == 0 },
			verdict.Rollback, verdict.Rollback, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newAlongside(t, c.behind)
			if c.bad != nil {
				w.bad = c.bad
			}
			if c.fails != nil {
				w.fails = c.fails
			}
			got := w.pass(20, 50)
			if got.Action != c.then || !strings.Contains(got.Message, c.words) || (c.words == "") == strings.Contains(got.Message, "they count") {
				t.Errorf("after 20 s: %s %s, want %s with %q", got.Action, got.Message, c.then, c.words)
			}
			if c.behind > 0 && got.Requests != 0 {
				t.Errorf("%d events were compared of which stable has read none", got.Requests)
			}
			if got = w.pass(40, 125); got.Action != c.later || strings.Contains(got.Message, "they count") {
				t.Errorf("after 60 s: %s %s, want %s", got.Action, got.Message, c.later)
			}
		})
	}
}

// TestAlongAfterARestart: what a shadow has counted counts once, whenever the operator's process ends.
func TestAlongAfterARestart(t *testing.T) {
	w := newAlongside(t, 150)
	w.fails = func(_ int32, offset int64) bool { return offset%10 == 0 }
	for range 8 {
		w.pass(5, 50)
		raw, err := w.b.Save()
		if err != nil {
			t.Fatal(err)
		}
		if w.b, err = Load(alongRelease(), raw); err != nil {
			t.Fatal(err)
		}
	}
	w.b.Close(w.now)
	all := w.pod("ca").said[signals.Errors]
	if got := w.b.state.Canary.at(0); got.Requests > all.Requests || got.Bad > all.Bad || got.Requests < all.Requests/2 {
		t.Errorf("%d of %d bad were counted, want at most the %d of %d that it read, and most of them", got.Bad, got.Requests, all.Bad, all.Requests)
	}
}

// TestAlongIsBounded: however far stable is behind, no more pages are kept, and the first of them counts when it is passed.
func TestAlongIsBounded(t *testing.T) {
	w := newAlongside(t, 10)
	w.pass(2000, 0)
	pages := w.b.along.said["ca"]
	if len(pages) > mostSaid {
		t.Errorf("%d pages are kept, want at most %d", len(pages), mostSaid)
	}
	w.pod("sa").next = map[int32]int64{0: 1050, 1: 1050}
	if got := w.pass(1, 0); got.Requests != 100 {
		t.Errorf("%d events count when stable has passed the first page, want its 100", got.Requests)
	}
}

// TestSimulateAlong: of good shadows, over data with bursts of bad events that both come to, and beside a stable that falls
// behind and catches up, hardly any is convicted; of those that break one good event in twenty, nearly all are.
func TestSimulateAlong(t *testing.T) {
	const releases, seconds = 100, 90
	convicted := map[float64]int{}
	for seed := range uint64(releases) {
		for _, share := range []float64{0, 0.05} {
			random := rand.New(rand.NewPCG(seed, 3))
			w, bursts, broken := newAlongside(t, 0), random.Uint64(), rand.New(rand.NewPCG(seed, 4))
			w.bad = func(offset int64) bool { return (bursts>>(offset/200%64))&7 == 0 && offset%4 == 0 }
			w.fails = func(int32, int64) bool { return broken.Float64() < share }
			for range seconds {
				behind := w.pod("ca").next[0] + 50 - w.pod("sa").next[0]
				if got := w.pass(1, min(behind, random.Int64N(120))); got.Action == verdict.Rollback {
					convicted[share]++
					break
				}
			}
		}
	}
	t.Logf("of %d releases: %d good and %d bad ones were convicted", releases, convicted[0], convicted[0.05])
	if convicted[0] > releases/100 || convicted[0.05] < releases*9/10 {
		t.Errorf("%d good and %d bad shadows of %d each were convicted, want at most %d and at least %d",
			convicted[0], convicted[0.05], releases, releases/100, releases*9/10)
	}
}
