package verdict

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// reads is a look at one pod of the canary, whose counts are known by part, and at a stable of 300 good requests.
func reads(parts ...Pod) Look {
	l := look(pod("s", 300, 0), pod("a", sum(of(parts, 0)).Requests, sum(of(parts, 0)).Bad))
	l.Parts = parts
	return l
}

func TestParts(t *testing.T) {
	for _, c := range []struct {
		name  string
		looks []Look
		good  []string
		want  Reason
		parts []string
	}{
		{"bad in each of three", times(6, reads(pod("0", 20, 2), pod("1", 20, 2), pod("2", 20, 2))), nil, Worse, nil},
		{"bad in one of three", times(6, reads(pod("0", 20, 6), pod("1", 20, 0), pod("2", 20, 0))), nil, OnePart, []string{"0"}},
		{"bad in one of three, which is known to be good", times(6, reads(pod("0", 20, 6), pod("1", 20, 0), pod("2", 20, 0))), []string{"0"}, Worse, nil},
		{"bad in one of three, another is known to be good", times(6, reads(pod("0", 20, 6), pod("1", 20, 0), pod("2", 20, 0))), []string{"1"}, OnePart, []string{"0"}},
		{"one chance event beside a bad part does not convict", append(times(6, reads(pod("0", 20, 6), pod("1", 20, 0))), reads(pod("0", 20, 6), pod("1", 20, 1))), nil, OnePart, []string{"0"}},
		{"two of three bad", times(8, reads(pod("0", 20, 4), pod("1", 20, 4), pod("2", 20, 0))), nil, Worse, nil},
		{"one part and no other", times(6, reads(pod("0", 20, 6))), nil, OnePart, []string{"0"}},
		{"all bad, in each of two", []Look{reads(pod("0", 20, 20), pod("1", 20, 20))}, nil, Worse, nil},
		{"not known by part", times(6, look(pod("s", 300, 0), pod("a", 60, 6))), nil, Worse, nil},
		{"six parts in four groups, one bad", times(6, reads(pod("0", 20, 8), pod("1", 20, 0), pod("2", 20, 0), pod("3", 20, 0), pod("4", 20, 0), pod("5", 20, 0))), nil, OnePart, []string{"0", "4"}},
		{"a part that went to another pod stays", append(times(6, reads(pod("0", 20, 6), pod("1", 20, 0))), look(pod("s", 300, 0), pod("a", 20, 0))), nil, OnePart, []string{"0"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := begin(t, errorsOnly())
			observe(t, r, slices.Clone(c.looks)...)
			raw, err := r.Save()
			if err != nil {
				t.Fatal(err)
			}
			resumed, err := Resume(errorsOnly(), raw)
			if err != nil {
				t.Fatal(err)
			}
			for name, r := range map[string]*Release{"gathered": r, "resumed": resumed} {
				d, err := r.Decide(Question{Good: c.good})
				if err != nil || d.Reason != c.want || !slices.Equal(d.Parts, c.parts) {
					t.Errorf("%s: Decide = %s, %v; want %s resting on %v", name, d, err, c.want, c.parts)
				}
			}
		})
	}
}

// TestPartsChangeNothingElse: the evidence of the whole canary, and for its promotion, does not depend on parts.
func TestPartsChangeNothingElse(t *testing.T) {
	with, without := begin(t, errorsOnly()), begin(t, errorsOnly())
	for k := range int64(20) {
		l := reads(pod("0", 20, k%3), pod("1", 30, k%2))
		observe(t, with, l)
		l.Parts = nil
		observe(t, without, l)
	}
	if diff := cmp.Diff(without.State().Signals[0].Rollback, with.State().Signals[0].Rollback); diff != "" {
		t.Errorf("the evidence against the canary (-without +with parts):\n%s", diff)
	}
	if diff := cmp.Diff(without.Promotion(0, 1), with.Promotion(0, 1)); diff != "" {
		t.Errorf("the evidence for a weight (-without +with parts):\n%s", diff)
	}
}

// TestPartsAreNoMoreThanTheCanary: a look that cannot be is refused; what belongs to no part is not.
func TestPartsAreNoMoreThanTheCanary(t *testing.T) {
	for _, c := range []struct {
		name  string
		parts []Pod
		want  string
	}{
		{"some of no part", []Pod{pod("0", 5, 1)}, ""},
		{"more requests", []Pod{pod("0", 15, 1), pod("1", 15, 1)}, "what no part counts"},
		{"more bad ones", []Pod{pod("0", 10, 4)}, "what no part counts"},
		{"more good ones", []Pod{pod("0", 20, 0)}, "what no part counts"},
		{"one twice", []Pod{pod("0", 5, 0), pod("0", 5, 0)}, "there twice"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := look(pod("s", 180, 0), pod("a", 20, 3))
			l.Parts = c.parts
			if err := begin(t, errorsOnly()).Observe(l); (err == nil) != (c.want == "") || (err != nil && !strings.Contains(err.Error(), c.want)) {
				t.Errorf("Observe = %v, want %q", err, c.want)
			}
		})
	}
}

func TestWorse(t *testing.T) {
	s := errorsOnly().Signals[0]
	for _, c := range []struct {
		name           string
		canary, stable Counts
		want           bool
	}{
		{"nothing known of stable", Counts{100, 10}, Counts{}, false},
		{"stable was fine", Counts{100, 10}, Counts{1000, 1}, true},
		{"stable was as bad", Counts{100, 10}, Counts{1000, 90}, false},
		{"stable was worse", Counts{100, 10}, Counts{1000, 300}, false},
		{"a week of a stable that was fine", Counts{100, 10}, Counts{4e12, 4e8}, true},
		{"a week of a stable that was as bad", Counts{100, 10}, Counts{4e12, 4e11}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := s.Worse(c.canary, c.stable); math.IsNaN(got) || (got >= suspicion) != c.want {
				t.Errorf("Worse(%v, %v) = %g, want at least %g: %v", c.canary, c.stable, got, suspicion, c.want)
			}
		})
	}
}

// partClaims are about data that are bad in one part of the work, whoever has it.
func partClaims() []claim {
	var claims []claim
	for _, parts := range []int{3, 6} {
		for _, rate := range []float64{0.05, 0.3, 1} {
			w := ordinary(0.001, 0.001)
			w.parts, w.weight = parts, float64(parts)/12
			w.canary = func(_, q int) float64 {
				if q == 0 {
					return rate
				}
				return 0.001
			}
			claims = append(claims, claim{
				name: fmt.Sprintf("rolled back by one partition of the canary's %d that is bad in %g", parts, rate), short: 5, full: 4000, most: 0.02,
				run: func(rng *rand.Rand) outcome { return outcome{wrong: w.rolledBack(rng, halfHour)} },
			})
		}
	}
	return claims
}
