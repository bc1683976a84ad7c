package verdict

import (
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// alone is a release that nothing can be compared with.
func alone() Params {
	p := errorsOnly()
	p.Alone = true
	return p
}

func only(canary ...Pod) Look { return Look{Canary: canary} }

func TestDecideAlone(t *testing.T) {
	for _, c := range []struct {
		name     string
		looks    []Look
		question Question
		want     Decision
	}{
		{"nothing seen", nil, Question{Weight: 1}, Decision{Action: Hold, Reason: Unproven}},
		{"at the objective for an hour", times(1800, only(pod("a", 100, 1), pod("b", 100, 1))), Question{}, Decision{Action: Hold, Reason: Complete}},
		{"good", times(10, only(pod("a", 50, 0), pod("b", 50, 0))), Question{Weight: 1}, Decision{Action: Promote, Reason: Bounded}},
		{"twice the objective", times(60, only(pod("a", 50, 1), pod("b", 50, 1))), Question{Weight: 1}, Decision{Action: Rollback, Reason: Worse}},
		{"one request in ten bad, but either pod alone shows little", times(3, only(pod("a", 10, 1), pod("b", 10, 1))), Question{}, Decision{Action: Hold, Reason: Suspicious}},
		{"one request in ten bad", times(5, only(pod("a", 10, 1), pod("b", 10, 1))), Question{}, Decision{Action: Rollback, Reason: Worse}},
		{"dead", times(1, only(pod("a", 20, 20))), Question{}, Decision{Action: Rollback, Reason: Worse}},
		{"one burst", times(1, only(pod("a", 40, 20))), Question{}, Decision{Action: Hold, Reason: Suspicious}},
		{"one pod of two", times(30, only(pod("a", 20, 0), pod("b", 20, 4))), Question{}, Decision{Action: Hold, Reason: OnePod}},
		{"bad after ten good minutes", append(times(300, only(pod("a", 10, 0))), times(8, only(pod("a", 10, 3)))...), Question{}, Decision{Action: Rollback, Reason: Worse}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := begin(t, alone())
			observe(t, r, c.looks...)
			got, err := r.Decide(c.question)
			if err != nil || got.Action != c.want.Action || got.Reason != c.want.Reason {
				t.Errorf("Decide(%+v) = %v, %v; want %s (%s)", c.question, got, err, c.want.Action, c.want.Reason)
			}
		})
	}
}

func TestAloneRefusesStable(t *testing.T) {
	r := begin(t, alone())
	for name, l := range map[string]Look{
		"a pod of stable": look(pod("s", 9, 0), pod("a", 2, 0)),
		"a second window": {Canary: []Pod{pod("a", 2, 0)}, Again: []Counts{{1, 0}}},
	} {
		if err := r.Observe(l); err == nil || !strings.Contains(err.Error(), "the release is Alone") {
			t.Errorf("%s: Observe = %v, want an error that says that the release is Alone", name, err)
		}
	}
}

func TestAloneIsAnotherRelease(t *testing.T) {
	r := begin(t, alone())
	observe(t, r, only(pod("a", 20, 1)))
	saved, err := r.Save()
	if err != nil {
		t.Fatal(err)
	}
	again, err := Resume(alone(), saved)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := again.LogE(), r.LogE(); !near(got, want, 1e-5) || got > want {
		t.Errorf("resumed, log E = %g, want at most 1e-5 below %g", got, want)
	}
	if _, err := Resume(errorsOnly(), saved); err == nil {
		t.Error("evidence against the objective goes on as evidence against stable")
	}
}

// The bound of α without a stable: at every rate up to the objective a guarded look's mean is at most 1.
func TestAloneMeanIsAtMostOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64Range(1, 60).Draw(t, "n")
		signal := Signal{Tolerance: 1.5, Objective: rapid.Float64Range(1e-6, 0.9).Draw(t, "objective")}
		for _, rate := range []float64{signal.Objective, signal.Objective / 2, signal.Objective / 50} {
			means := binomialExpectation(n, logit(rate), func(x int64) []float64 {
				return evidence{canary: Counts{n, x}, spread: 1, alone: true}.guarded(signal)
			})
			for j, mean := range means {
				if mean > 1+1e-9 {
					t.Fatalf("rate %g against an objective of %g, atom %d: mean %.12g, want at most 1", rate, signal.Objective, j, mean)
				}
			}
		}
	})
}

func TestAloneNothingIsNotANumber(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		params := alone()
		params.Signals[0].Objective = rapid.Float64Range(1e-6, 0.999).Draw(t, "objective")
		most := rapid.SampledFrom([]int64{0, 1, 10, 1000, 1_000_000}).Draw(t, "most requests")
		r := begin(t, params)
		for range rapid.IntRange(1, 6).Draw(t, "looks") {
			observe(t, r, only(drawPods(t, "canary", 0, 6, most)...))
		}
		checkNumbers(t, r)
	})
}

func TestOutlookAlone(t *testing.T) {
	r := begin(t, alone())
	traffic := Traffic{Canary: 20}
	observe(t, r, times(12, only(pod("a", 20, 0)))...)
	left := r.LooksLeft(0, 3, traffic)
	took := 0.0
	for ; r.Promotion(0, 3).LogE() < math.Log(20); took++ {
		observe(t, r, only(pod("a", 20, 0)))
	}
	// Half a bad request is assumed where there was none yet, so that it says too many.
	if took > left || took < left/3 {
		t.Errorf("LooksLeft said %.1f, it took %g", left, took)
	}
	if p := r.Promotion(0, 3); p.LogE() != p.Absolute || r.LooksLeft(0, 3, traffic) != 0 {
		t.Errorf("shown by the absolute process alone: %+v with log E %g, %g looks left", p, p.LogE(), r.LooksLeft(0, 3, traffic))
	}
	traffic.Canary = 200
	effect := r.SmallestEffect(0, traffic, 100)
	rate := withOdds(0.01, effect)
	observe(t, r, times(100, only(pod("a", 200, int64(math.Ceil(200*rate)))))...)
	if d, err := r.Decide(Question{}); err != nil || d.Action != Rollback || effect > 2.5 {
		t.Errorf("100 looks at %g times the odds: Decide = %v, %v; want a rollback, and an effect of 2.5 at most", effect, d, err)
	}
}
