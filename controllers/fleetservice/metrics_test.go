package fleetservice

import (
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/fleetservice/plan"
)

// TestCauseOfAnEnd: a rollout that a person ends is not counted under the reason for which an earlier one was taken back.
func TestCauseOfAnEnd(t *testing.T) {
	counted := func(outcome, cause string) float64 {
		t.Helper()
		m := &dto.Metric{}
		if err := rollouts.WithLabelValues(outcome, cause).Write(m); err != nil {
			t.Fatal(err)
		}
		return m.GetCounter().GetValue()
	}
	earlier := plan.Rejection{Hash: "bbbb", Reason: v1alpha1.ReasonWorse, At: time.Unix(1e9, 0)}
	for _, test := range []struct {
		verb           plan.Verb
		outcome, cause string
	}{
		{plan.Abandon, "abandoned", ""},
		{plan.Replace, "abandoned", ""},
		{plan.Promote, "promoted", ""},
		{plan.TakeBack, "taken_back", v1alpha1.ReasonWorse},
		{plan.Return, "taken_back", v1alpha1.ReasonWorse},
	} {
		t.Run(string(test.verb), func(t *testing.T) {
			before := counted(test.outcome, test.cause)
			s := &scope{fs: &v1alpha1.FleetService{}, plan: plan.Plan{Decision: &plan.Decision{Verb: test.verb, State: plan.State{Rejected: earlier}}}}
			(&Reconciler{}).measure(s, &v1alpha1.FleetServiceStatus{})
			if got := counted(test.outcome, test.cause) - before; got != 1 {
				t.Errorf("fleet_rollouts_total{outcome=%q, cause=%q} rose by %v, want 1", test.outcome, test.cause, got)
			}
		})
	}
}
