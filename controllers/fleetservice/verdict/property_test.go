package verdict

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func drawCounts(t *rapid.T, name string, most int64) Counts {
	n := rapid.Int64Range(0, most).Draw(t, name+" requests")
	return Counts{Requests: n, Bad: rapid.Int64Range(0, n).Draw(t, name+" bad")}
}

func drawPods(t *rapid.T, side string, least, most int, requests int64) []Pod {
	pods := make([]Pod, rapid.IntRange(least, most).Draw(t, side+" pods"))
	for i := range pods {
		pods[i] = Pod{Name: fmt.Sprintf("%s%d", side, i), Counts: []Counts{drawCounts(t, side, requests)}}
	}
	return pods
}

func drawLook(t *rapid.T, most int, requests int64) Look {
	l := Look{
		Canary:    drawPods(t, "canary", 0, most, requests),
		Stable:    drawPods(t, "stable", 0, most, requests),
		NewWeight: rapid.Bool().Draw(t, "new weight"),
	}
	if rapid.Bool().Draw(t, "two windows") {
		l.Again = []Counts{drawCounts(t, "again", requests)}
	}
	return l
}

func drawLooks(t *rapid.T, most int, requests int64) []Look {
	looks := make([]Look, rapid.IntRange(1, 8).Draw(t, "looks"))
	for i := range looks {
		looks[i] = drawLook(t, most, requests)
	}
	return looks
}

// The error bounds rest on this: whatever the margins, the mean of what a look multiplies by is at most 1 under every law
// that its hypothesis allows, with guards and without.
func TestMeanIsAtMostOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nc, ns := rapid.Int64Range(1, 30).Draw(t, "nc"), rapid.Int64Range(1, 60).Draw(t, "ns")
		m := rapid.Int64Range(0, nc+ns).Draw(t, "m")
		tolerance := rapid.Float64Range(1, 4).Draw(t, "tolerance")
		signal := Signal{Tolerance: tolerance, Objective: 0.01}
		harm := signal.harmAt(rapid.SampledFrom([]float64{0.05, 0.5, 1}).Draw(t, "weight"))
		e := evidence{spread: rapid.Float64Range(1, 4).Draw(t, "spread")}
		weigh := func(truth float64, logs func(evidence) []float64) float64 {
			worst := 0.0
			for _, mean := range expectation(e, nc, ns, m, truth, logs) {
				worst = max(worst, mean)
			}
			return worst
		}
		guarded := func(e evidence) []float64 { return e.guarded(signal) }
		plain := func(e evidence) []float64 {
			return increments(e.canary, e.stable, tolerance, rollbackAtoms(tolerance))
		}
		promote := func(e evidence) []float64 {
			return increments(e.canary, e.stable, harm, signal.relativeAtoms())
		}
		for _, factor := range []float64{1, 0.5} {
			for name, logs := range map[string]func(evidence) []float64{"guarded": guarded, "plain": plain} {
				if got := weigh(tolerance*factor, logs); got > 1+1e-9 {
					t.Fatalf("%s rollback at odds ratio %g: mean %.12g, want at most 1", name, tolerance*factor, got)
				}
			}
			if got := weigh(harm/factor, promote); got > 1+1e-9 {
				t.Fatalf("promotion at odds ratio %g: mean %.12g, want at most 1", harm/factor, got)
			}
		}
		if low, high := max(0, m-ns), min(nc, m); low < high {
			if got := weigh(tolerance, plain); math.Abs(got-1) > 1e-9 {
				t.Fatalf("plain rollback at the tolerance: mean %.12g, want 1", got)
			}
		}
	})
}

// expectation is the mean of exp(logs) over the law with odds ratio psi, from its definition.
func expectation(e evidence, nc, ns, m int64, psi float64, logs func(evidence) []float64) []float64 {
	var means []float64
	total := 0.0
	for x := max(0, m-ns); x <= min(nc, m); x++ {
		p := math.Exp(logChoose(float64(nc), float64(x)) + logChoose(float64(ns), float64(m-x)) + float64(x)*math.Log(psi))
		total += p
		e.canary, e.stable = Counts{nc, x}, Counts{ns, m - x}
		values := logs(e)
		if means == nil {
			means = make([]float64, len(values))
		}
		for j, v := range values {
			means[j] += p * math.Exp(v)
		}
	}
	for j := range means {
		means[j] /= total
	}
	return means
}

func TestMoreBadAnswersOfTheCanarySpeakAgainstIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before := drawLooks(t, 3, 100)
		worse := look(
			Pod{Name: "s", Counts: []Counts{drawCounts(t, "stable", 200)}},
			Pod{Name: "a", Counts: []Counts{drawCounts(t, "canary", 50)}},
		)
		c, s := worse.Canary[0].Counts[0], worse.Stable[0].Counts[0]
		if c.Bad == 0 || s.Bad == s.Requests {
			t.Skip("no bad answer to move")
		}
		better := look(pod("s", s.Requests, s.Bad+1), pod("a", c.Requests, c.Bad-1))
		x, y := begin(t, errorsOnly()), begin(t, errorsOnly())
		observe(t, x, append(slices.Clone(before), worse)...)
		observe(t, y, append(slices.Clone(before), better)...)
		if x.LogE() < y.LogE()-1e-9 {
			t.Fatalf("one bad answer more of the canary's: log E against it fell from %g to %g", y.LogE(), x.LogE())
		}
		for i := range x.State().Params.Weights {
			if p, q := x.Promotion(0, i), y.Promotion(0, i); p.LogE() > q.LogE()+1e-9 {
				t.Fatalf("one bad answer more of the canary's: log E for weight %g rose from %g to %g", p.Weight, q.LogE(), p.LogE())
			}
		}
	})
}

// As long as no pod is replaced; a new one takes the first free group.
func TestNamesAndOrderOfPodsDoNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		looks := drawLooks(t, maxGroups, 100)
		pods := rapid.IntRange(1, maxGroups).Draw(t, "pods of the canary")
		for i := range looks {
			looks[i].Canary = drawPods(t, "canary", pods, pods, 100)
		}
		names := rapid.Permutation([]string{"v", "w", "y", "z"}).Draw(t, "names")
		x, y := begin(t, errorsOnly()), begin(t, errorsOnly())
		for _, l := range looks {
			observe(t, x, l)
			l.Canary = slices.Clone(l.Canary)
			for i := range l.Canary {
				l.Canary[i].Name = names[i]
			}
			slices.Reverse(l.Canary)
			l.Stable = slices.Clone(l.Stable)
			slices.Reverse(l.Stable)
			observe(t, y, l)
		}
		d, err := x.Decide(Question{Weight: 0.2})
		if err != nil {
			t.Fatal(err)
		}
		e, err := y.Decide(Question{Weight: 0.2})
		if err != nil {
			t.Fatal(err)
		}
		if d.Action != e.Action || d.Reason != e.Reason || !near(d.LogE, e.LogE, 1e-9) || len(d.Pods) != len(e.Pods) {
			t.Fatalf("decision %v, with other names %v", d, e)
		}
	})
}

func TestNothingIsNotANumber(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		params := errorsOnly()
		params.Signals[0].Tolerance = rapid.Float64Range(1, 100).Draw(t, "tolerance")
		params.Signals[0].Objective = rapid.Float64Range(1e-6, 0.999).Draw(t, "objective")
		params.Weights = []float64{rapid.Float64Range(1e-4, 0.99).Draw(t, "weight"), 1}
		r := begin(t, params)
		most := rapid.SampledFrom([]int64{0, 1, 10, 1000, 1_000_000}).Draw(t, "most requests")
		observe(t, r, drawLooks(t, 6, most)...)
		checkNumbers(t, r)
	})
}

func checkNumbers(t rapid.TB, r *Release) {
	saved, err := r.Save()
	if err != nil {
		t.Fatalf("Save: %v", err)
	}
	again, err := Resume(r.State().Params, saved)
	if err != nil {
		t.Fatalf("Resume: %v", err)
	}
	if again.LogE() > r.LogE() || math.IsNaN(r.LogE()) || math.IsInf(r.LogE(), 0) {
		t.Fatalf("log E = %g, resumed %g: want finite, and not more", r.LogE(), again.LogE())
	}
	for i, w := range r.State().Params.Weights {
		traffic := Traffic{Canary: 20, Stable: 180, History: Counts{1000, 1}}
		p := r.Promotion(0, i)
		if r.State().Params.Alone {
			// Nothing to compare with: −Inf by definition.
			p.Relative = 0
		}
		for _, v := range []float64{p.Relative, p.Absolute, p.LogE(), r.LooksLeft(0, i, traffic), r.SmallestEffect(0, traffic, 100)} {
			if math.IsNaN(v) || math.IsInf(v, -1) {
				t.Fatalf("weight %g: %+v, log E %g, left %g", w, p, p.LogE(), r.LooksLeft(0, i, traffic))
			}
		}
		if _, err := r.Decide(Question{Weight: w}); err != nil {
			t.Fatal(err)
		}
	}
}
