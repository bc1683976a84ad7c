package evidence

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"movieexample.com/fleet/controllers/fleetservice/verdict"
)

// draw lets a second of requests happen by chance: so many in all, the canary's share of them, each failing at its rate.
func draw(rng *rand.Rand, requests int, percent int32, canary, stable float64) flow {
	var f flow
	for range requests {
		n, bad, rate := &f.stable, &f.stableBad, stable
		if rng.IntN(all) < int(percent) {
			n, bad, rate = &f.canary, &f.canaryBad, canary
		}
		*n++
		if rng.Float64() < rate {
			*bad++
		}
	}
	return f
}

// median of an odd number of runs.
func median(seconds []int) int { return slices.Sorted(slices.Values(seconds))[len(seconds)/2] }

// At 100 requests a second, read each second.
func TestSimulateConviction(t *testing.T) {
	for _, c := range []struct {
		name    string
		percent int32
		rate    float64
		callers bool
		most    int
	}{
		{"10 % bad at weight 10", 10, 0.1, false, 9},
		{"10 % bad at weight 10, by callers", 10, 0.1, true, 9},
		{"all bad at weight 10", 10, 1, false, 1},
		{"all bad at weight 1", 1, 1, false, 6},
		{"10 % bad at weight 1", 1, 0.1, false, 60},
	} {
		t.Run(c.name, func(t *testing.T) {
			var took []int
			for run := range 41 {
				rng := rand.New(rand.NewPCG(4, uint64(run)))
				w, b := newWorld(1, 1), begin(t, release())
				if c.callers {
					w.calling("caller")
				}
				b.Add(w.reading(), at(c.percent))
				seconds := 0
				for b.Judge(Question{}).Action != verdict.Rollback && seconds < 300 {
					w.run(b, at(c.percent), 1, draw(rng, 100, c.percent, c.rate, 0.001))
					seconds++
				}
				took = append(took, seconds)
			}
			t.Logf("median %d s, of %v", median(took), took)
			if got := median(took); got > c.most {
				t.Errorf("convicted in a median of %d s, want at most %d", got, c.most)
			}
		})
	}
}

// A good canary goes through 1, 5, 20, 50, the operator restarting now and then.
func TestSimulatePromotion(t *testing.T) {
	for _, c := range []struct {
		base float64
		most int
	}{{0.001, 90}, {0.01, 180}} {
		var took []int
		for run := range 15 {
			rng := rand.New(rand.NewPCG(5, uint64(run)))
			took = append(took, promotedAfter(t, rng, c.base))
		}
		t.Logf("base rate %g: median %d s, of %v", c.base, median(took), took)
		if got := median(took); got > c.most {
			t.Errorf("base rate %g: a good canary has all requests after a median of %d s, want at most %d", c.base, got, c.most)
		}
	}
}

func promotedAfter(t *testing.T, rng *rand.Rand, base float64) int {
	w, b := newWorld(2, 2), begin(t, release())
	seconds := 0
	for i, percent := range []int32{1, 5, 20, 50} {
		next := []int32{5, 20, 50, 100}[i]
		position := Position{Percent: percent, Since: w.now}
		b.Add(w.reading(), position)
		for step := 1; ; step++ {
			f := draw(rng, 100, percent, base, base)
			part := rng.Int64N(f.canary + 1)
			w.ends("cb", part, 0)
			f.canary, f.canaryBad = f.canary-part, min(f.canaryBad, f.canary-part)
			w.run(b, position, 1, f)
			seconds++
			j := b.Judge(Question{Next: next, Early: step < 10, MaxStep: 10 * time.Minute})
			if j.Action == verdict.Promote {
				break
			}
			if j.Action == verdict.Rollback || seconds > 1800 {
				return 1800
			}
		}
		b.Close(w.now)
		b = reload(t, b)
		w.after(100 * time.Millisecond)
	}
	return seconds
}

// An outage of everything for 5 s convicts nobody, whenever it begins; nor does a bad minute of the database.
func TestSimulateOutage(t *testing.T) {
	wrong := 0
	for run := range 60 {
		rng := rand.New(rand.NewPCG(6, uint64(run)))
		w, b := newWorld(2, 1), begin(t, release())
		b.Add(w.reading(), at(10))
		for second := range 40 {
			rate := 0.001
			switch {
			case second >= 10+run%3 && second < 15+run%3:
				rate = 1
			case second >= 20:
				rate = 0.2
			}
			w.run(b, at(10), 1, draw(rng, 100, 10, rate, rate))
			if b.Judge(Question{}).Action == verdict.Rollback {
				wrong++
				break
			}
		}
	}
	if wrong > 3 {
		t.Errorf("%d of 60 good canaries were convicted in a shared outage, want at most 3: 1 %% explains no more", wrong)
	}
}
