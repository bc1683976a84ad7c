package verdict

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// times repeats a look.
func times(n int, l Look) []Look { return slices.Repeat([]Look{l}, n) }

func TestDecide(t *testing.T) {
	good := look(pod("s", 180, 0), pod("a", 10, 0), pod("b", 10, 0))
	onePodBad := look(pod("s", 180, 0), pod("a", 10, 0), pod("b", 10, 3))
	bothBad := look(pod("s", 180, 0), pod("a", 10, 2), pod("b", 10, 2))
	for _, c := range []struct {
		name     string
		looks    []Look
		question Question
		want     Decision
	}{
		{"nothing seen", nil, Question{Weight: 0.05}, Decision{Action: Hold, Reason: Unproven, Weight: 0.05}},
		{"good", times(10, good), Question{Weight: 0.05}, Decision{Action: Promote, Reason: Bounded, Weight: 0.05}},
		{"good, too early", times(10, good), Question{Weight: 0.05, Early: true}, Decision{Action: Hold, Reason: TooEarly, Weight: 0.05}},
		{"good, blind", times(10, good), Question{Weight: 0.05, Blind: []string{"errors"}}, Decision{Action: Hold, Reason: Blind, Weight: 0.05}},
		{"good, not enough for all traffic", times(10, good), Question{Weight: 1}, Decision{Action: Hold, Reason: Unproven, Weight: 1}},
		{"good, nothing asked", times(10, good), Question{}, Decision{Action: Hold, Reason: Complete}},
		{"both pods bad", times(4, bothBad), Question{Weight: 0.05}, Decision{Action: Rollback, Reason: Worse, Weight: 0.05}},
		{"both pods bad, one look", times(1, bothBad), Question{Weight: 0.05}, Decision{Action: Hold, Reason: Unproven, Weight: 0.05}},
		{"both pods bad, two looks", times(2, bothBad), Question{Weight: 0.05}, Decision{Action: Rollback, Reason: Worse, Weight: 0.05}},
		{"bad although blind", times(4, bothBad), Question{Blind: []string{"errors"}}, Decision{Action: Rollback, Reason: Worse}},
		{"one pod of two", times(30, onePodBad), Question{Weight: 0.05}, Decision{Action: Hold, Reason: OnePod, Pods: []string{"b"}, Weight: 0.05}},
		{
			"one pod of two, then it is gone", append(times(30, onePodBad), look(pod("s", 180, 0), pod("a", 20, 0))),
			Question{}, Decision{Action: Hold, Reason: OnePod},
		},
		{
			"one pod of two, then alone", append(times(30, onePodBad), look(pod("s", 180, 0), pod("b", 20, 6))),
			Question{}, Decision{Action: Rollback, Reason: Worse},
		},
		{"the only pod", times(4, look(pod("s", 180, 0), pod("a", 20, 4))), Question{}, Decision{Action: Rollback, Reason: Worse}},
		{"dead", times(1, look(pod("s", 180, 0), pod("a", 20, 20))), Question{}, Decision{Action: Rollback, Reason: Worse}},
		{"dead together with stable", times(9, look(pod("s", 180, 180), pod("a", 20, 20))), Question{}, Decision{Action: Hold, Reason: Complete}},
		{"one burst", times(1, look(pod("s", 180, 0), pod("a", 40, 20))), Question{}, Decision{Action: Hold, Reason: Suspicious}},
		{"two bursts at the only pod", times(2, look(pod("s", 180, 0), pod("a", 40, 20))), Question{}, Decision{Action: Hold, Reason: Suspicious}},
		{"three bursts at the only pod", times(3, look(pod("s", 180, 0), pod("a", 40, 20))), Question{}, Decision{Action: Rollback, Reason: Worse}},
		{
			"two bursts and a quiet look", append(times(2, look(pod("s", 180, 0), pod("a", 40, 20))), look(pod("s", 180, 0), pod("a", 20, 0))),
			Question{}, Decision{Action: Hold, Reason: Suspicious},
		},
		{"two bursts at both pods", times(2, look(pod("s", 180, 0), pod("a", 40, 20), pod("b", 40, 20))), Question{}, Decision{Action: Rollback, Reason: Worse}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := begin(t, errorsOnly())
			observe(t, r, c.looks...)
			got, err := r.Decide(c.question)
			if err != nil {
				t.Fatal(err)
			}
			numbers := got.String()
			got.Signal, got.LogE, got.LogNeeded, got.Canary = "", 0, 0, Counts{}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("Decide(%+v) (-want +got):\n%s%s", c.question, diff, numbers)
			}
		})
	}
}

func TestDecideOverSignals(t *testing.T) {
	params := errorsOnly()
	params.Signals = append(params.Signals, Signal{Name: "latency", Tolerance: 2, Objective: 0.05}, Signal{Name: "refusals", Tolerance: 1, Objective: 0.01})
	one := Look{
		Canary: []Pod{{Name: "a", Counts: []Counts{{20, 0}, {20, 5}, {20, 0}}}},
		Stable: []Pod{{Name: "s", Counts: []Counts{{180, 1}, {180, 0}, {180, 0}}}},
	}
	r := begin(t, params)
	observe(t, r, one)
	total := 0.0
	for _, s := range r.State().Signals {
		total += math.Exp(s.Rollback.LogE())
	}
	if got, want := math.Exp(r.LogE()), total/3; !near(got, want, 1e-12) {
		t.Errorf("E of three signals = %g, want their mean %g", got, want)
	}
	observe(t, r, times(4, one)...)
	d, err := r.Decide(Question{Weight: 0.05})
	if err != nil || d.Action != Rollback || d.Signal != "latency" {
		t.Errorf("Decide = %v, %v; want a rollback by latency", d, err)
	}
}

func TestWeakestSignalHoldsPromotion(t *testing.T) {
	params := errorsOnly()
	params.Signals = append(params.Signals, Signal{Name: "latency", Tolerance: 1.5, Objective: 0.001})
	r := begin(t, params)
	one := Look{
		Canary: []Pod{{Name: "a", Counts: []Counts{{20, 0}, {20, 0}}}},
		Stable: []Pod{{Name: "s", Counts: []Counts{{180, 0}, {180, 0}}}},
	}
	observe(t, r, times(10, one)...)
	d, err := r.Decide(Question{Weight: 0.05})
	if err != nil || d.Action != Hold || d.Signal != "latency" {
		t.Errorf("Decide = %v, %v; want a hold by latency", d, err)
	}
	if alone := r.Promotion(0, 0); alone.LogE() < d.LogNeeded {
		t.Errorf("errors alone has log E %g, want %g: the case shows nothing", alone.LogE(), d.LogNeeded)
	}
}

func TestDecideRefuses(t *testing.T) {
	r := begin(t, errorsOnly())
	if _, err := r.Decide(Question{Weight: 0.3}); err == nil || !strings.Contains(err.Error(), "weight 0.3 is asked for") {
		t.Errorf("unknown weight: %v", err)
	}
	if _, err := r.Decide(Question{Blind: []string{"heat"}}); err == nil || !strings.Contains(err.Error(), `"heat"`) {
		t.Errorf("unknown signal: %v", err)
	}
}

func TestDecisionString(t *testing.T) {
	r := begin(t, errorsOnly())
	observe(t, r, times(30, look(pod("s", 180, 0), pod("a", 10, 0), pod("b", 10, 3)))...)
	d, err := r.Decide(Question{Weight: 0.05})
	if err != nil {
		t.Fatal(err)
	}
	d.LogE = math.Log(310)
	want := "Hold (OnePod): errors, weight 0.05: 90 of 600 bad, E = 310 of 100, resting on [b]"
	if got := d.String(); got != want {
		t.Errorf("String() = %q, want %q", got, want)
	}
}
