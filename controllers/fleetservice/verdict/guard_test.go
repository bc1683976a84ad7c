package verdict

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDead(t *testing.T) {
	for _, c := range []struct {
		name string
		pods []Counts
		want bool
	}{
		{"all bad", []Counts{{3, 3}}, true},
		{"two requests say nothing", []Counts{{2, 2}}, false},
		{"exactly 80 percent", []Counts{{10, 8}}, true},
		{"one pod of two works", []Counts{{10, 10}, {10, 1}}, false},
		{"an idle pod is no witness", []Counts{{10, 10}, {0, 0}}, true},
		{"no pods", nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := dead(c.pods); got != c.want {
				t.Errorf("dead(%v) = %v, want %v", c.pods, got, c.want)
			}
		})
	}
}

func TestCap(t *testing.T) {
	e := evidence{canary: Counts{200, 150}, stable: Counts{1800, 1}, spread: 1}
	if got := maximum(e.guarded(errorsOnly().Signals[0])); got != logCap {
		t.Errorf("a burst multiplies by exp(%g), want exp(%g)", got, logCap)
	}
	e.dead = true
	if got := maximum(e.guarded(errorsOnly().Signals[0])); got < 100 {
		t.Errorf("a dead canary multiplies by exp(%g), want more than exp(100)", got)
	}
	if got := math.Exp(logCap); math.Abs(got-20) > 1e-12 {
		t.Errorf("exp(logCap) = %g, want 20", got)
	}
}

func maximum(vs []float64) float64 {
	top := math.Inf(-1)
	for _, v := range vs {
		top = max(top, v)
	}
	return top
}

func TestSteady(t *testing.T) {
	calm := make([]int, 60)
	for i := range calm {
		calm[i] = 10_000
	}
	for _, c := range []struct {
		name   string
		shares []int
		all    Counts
		want   bool
	}{
		{"nothing known, five bad", nil, Counts{200, 5}, true},
		{"nothing known, six bad", nil, Counts{200, 6}, false},
		{"usual share", calm, Counts{200, 2}, true},
		{"at the bound of 5 + 3·200·1 %", calm, Counts{200, 11}, true},
		{"over it", calm, Counts{200, 12}, false},
		{"even number: mean of the middle two", []int{0, 20_000}, Counts{200, 11}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := steady(c.shares, c.all); got != c.want {
				t.Errorf("steady(%v) = %v, want %v", c.all, got, c.want)
			}
		})
	}
}

func TestSpread(t *testing.T) {
	var even, uneven Spread
	for range 10 {
		even = even.next([]Counts{{100, 10}, {100, 10}})
		uneven = uneven.next([]Counts{{100, 20}, {100, 0}})
	}
	if got := even.Factor(); got != 1 {
		t.Errorf("even pods: factor %g, want 1", got)
	}
	if got := uneven.Factor(); got != 4 {
		t.Errorf("one pod bad: factor %g, want 4", got)
	}
	if got := (Spread{Squares: 30, Expected: 9.9}).Factor(); got != 1 {
		t.Errorf("too little seen: factor %g, want 1", got)
	}
	if got := (Spread{Squares: 30, Expected: 10}).Factor(); got != 3 {
		t.Errorf("factor %g, want 3", got)
	}
}

func TestRegroup(t *testing.T) {
	pods := func(names ...string) []Pod {
		var all []Pod
		for _, n := range names {
			all = append(all, Pod{Name: n})
		}
		return all
	}
	for _, c := range []struct {
		name   string
		before map[string]int
		pods   []Pod
		want   map[string]int
	}{
		{"each its own, by name", nil, pods("b", "a"), map[string]int{"a": 0, "b": 1}},
		{"a replacement takes the place", map[string]int{"a": 0, "b": 1, "c": 2, "d": 3}, pods("a", "c", "d", "e"), map[string]int{"a": 0, "c": 2, "d": 3, "e": 1}},
		{"six pods in four groups", nil, pods("a", "b", "c", "d", "e", "f"), map[string]int{"a": 0, "b": 1, "c": 2, "d": 3, "e": 0, "f": 1}},
		{"none left", map[string]int{"a": 0}, nil, map[string]int{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, regroup(c.before, c.pods)); diff != "" {
				t.Errorf("regroup (-want +got):\n%s", diff)
			}
		})
	}
}
