package verdict

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestShares(t *testing.T) {
	for _, c := range []struct {
		name   string
		groups []string
		want   []float64
	}{
		{"one", []string{""}, []float64{1}},
		{"three on their own", []string{"", "", ""}, []float64{1. / 3, 1. / 3, 1. / 3}},
		{"a group has the share of one", []string{"", "latency", "latency", "latency"}, []float64{1. / 2, 1. / 6, 1. / 6, 1. / 6}},
		{"two groups", []string{"a", "b", "a", ""}, []float64{1. / 6, 1. / 3, 1. / 6, 1. / 3}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var p Params
			for _, g := range c.groups {
				p.Signals = append(p.Signals, Signal{Group: g})
			}
			got := p.logShares()
			for i := range got {
				got[i] = math.Exp(got[i])
			}
			if diff := cmp.Diff(c.want, got, cmp.Comparer(func(a, b float64) bool { return near(a, b, 1e-12) })); diff != "" {
				t.Errorf("shares (-want +got):\n%s", diff)
			}
		})
	}
}

// buckets are three bounds of one histogram beside errors; the second is the objective's.
func buckets() Params {
	p := errorsOnly()
	for i, name := range []string{"over 0.1 s", "over 0.5 s", "over 2 s"} {
		s := Signal{Name: name, Tolerance: 1.5, Group: "latency", RollbackOnly: i != 1}
		if !s.RollbackOnly {
			s.Objective = 0.01
		}
		p.Signals = append(p.Signals, s)
	}
	return p
}

func TestBuckets(t *testing.T) {
	lookAt := func(canary [4]int64) Look {
		l := Look{Stable: []Pod{{Name: "s"}}, Canary: []Pod{{Name: "a"}}}
		for _, bad := range canary {
			l.Stable[0].Counts = append(l.Stable[0].Counts, Counts{180, 1})
			l.Canary[0].Counts = append(l.Canary[0].Counts, Counts{20, bad})
		}
		return l
	}
	for _, c := range []struct {
		name   string
		bad    [4]int64
		looks  int
		action Action
		signal string
	}{
		{"good", [4]int64{}, 30, Promote, "errors"},
		{"slow in the objective's bucket", [4]int64{0, 0, 6, 0}, 5, Rollback, "over 0.5 s"},
		{"slow in another bucket", [4]int64{0, 6, 0, 0}, 5, Rollback, "over 0.1 s"},
		{"a little slower in a bucket without a say", [4]int64{0, 0, 0, 1}, 3, Promote, "errors"},
		{"a little slower in the objective's bucket: it is the weakest that has a say", [4]int64{0, 0, 1, 0}, 3, Promote, "over 0.5 s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := begin(t, buckets())
			observe(t, r, times(c.looks, lookAt(c.bad))...)
			d, err := r.Decide(Question{Weight: 0.05})
			if err != nil || d.Action != c.action || d.Signal != c.signal {
				t.Errorf("Decide = %v, %v; want %s by %s", d, err, c.action, c.signal)
			}
		})
	}
	r := begin(t, buckets())
	if p := r.Promotion(1, 3); !math.IsInf(p.LogE(), 1) || r.LooksLeft(1, 3, Traffic{Canary: 20, Stable: 180}) != 0 {
		t.Errorf("a bucket without a say holds promotion: %+v", p)
	}
	observe(t, r, Look{Canary: []Pod{{Name: "a", Counts: slices.Repeat([]Counts{{20, 1}}, 4)}}, Stable: []Pod{{Name: "s", Counts: slices.Repeat([]Counts{{180, 1}}, 4)}}})
	if got, idle := r.State().Signals[1].Relative, begin(t, buckets()).State().Signals[1].Relative; !slices.Equal(got, idle) {
		t.Errorf("a bucket without a say gathers evidence for promotion: %v", got)
	}
	r = begin(t, buckets())
	if p := r.Promotion(2, 3); !near(p.LogE(), 0, 1e-12) {
		t.Errorf("the objective's bucket, nothing seen: %+v, want log E 0", p)
	}
}

// restarts are pods restarted per pod-second, beside errors.
func restarts() Params {
	p := errorsOnly()
	p.Signals = append(p.Signals, Signal{Name: "restarts", Tolerance: 2, Exposure: true})
	return p
}

func TestExposure(t *testing.T) {
	lookAt := func(restarted ...int64) Look {
		l := Look{Stable: []Pod{{Name: "s", Counts: []Counts{{180, 0}, {18, 0}}}}}
		for i, x := range restarted {
			l.Canary = append(l.Canary, Pod{Name: fmt.Sprint("a", i), Counts: []Counts{{10, 0}, {2, x}}})
		}
		return l
	}
	for _, c := range []struct {
		name   string
		looks  []Look
		action Action
		reason Reason
	}{
		{"none restarted", times(30, lookAt(0, 0)), Promote, Bounded},
		{"one pod, once", append(times(10, lookAt(0, 0)), lookAt(0, 1)), Promote, Bounded},
		{"both pods, again and again", times(5, lookAt(1, 1)), Rollback, Worse},
		{"one pod of two, again and again", times(9, lookAt(0, 1)), Hold, OnePod},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := begin(t, restarts())
			observe(t, r, c.looks...)
			d, err := r.Decide(Question{Weight: 0.05})
			if err != nil || d.Action != c.action || d.Reason != c.reason {
				t.Errorf("Decide = %v, %v; want %s (%s)", d, err, c.action, c.reason)
			}
		})
	}
	r := begin(t, restarts())
	if err := r.Observe(Look{Canary: []Pod{{Name: "a", Counts: []Counts{{}, {0, 1}}}}}); err == nil {
		t.Error("a restart in no pod-seconds is taken")
	}
	storm := lookAt(60, 60)
	for _, p := range storm.Canary {
		p.Counts[1].Requests = 60
	}
	observe(t, r, storm)
	if got := r.LogE(); got > logCap {
		t.Errorf("each pod restarted each second of one look: log E = %g, want at most %g, since nothing is dead", got, logCap)
	}
	checkNumbers(t, r)
}

// At every odds ratio that the tolerance allows the mean of a look is at most 1, and 1 at the tolerance: events split between
// the revisions by exposure times odds ratio.
func TestExposureMeanIsAtMostOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		canary, stable := rapid.Int64Range(0, 50).Draw(t, "canary"), rapid.Int64Range(0, 50).Draw(t, "stable")
		m := rapid.Int64Range(0, min(canary, stable)).Draw(t, "events")
		tolerance := rapid.Float64Range(1, 4).Draw(t, "tolerance")
		for _, factor := range []float64{1, 0.5} {
			logOdds := math.Log(tolerance*factor) + math.Log(float64(canary)) - math.Log(float64(stable))
			if m == 0 {
				logOdds = 0
			}
			means := binomialExpectation(m, logOdds, func(x int64) []float64 {
				return exposureIncrements(Counts{canary, x}, Counts{stable, m - x}, tolerance, rollbackAtoms(tolerance))
			})
			for j, mean := range means {
				if mean > 1+1e-9 || factor == 1 && mean < 1-1e-9 {
					t.Fatalf("odds ratio %g against %g, atom %d: mean %.12g", tolerance*factor, tolerance, j, mean)
				}
			}
		}
	})
}
