package fleetservice

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/fleetservice/plan"
	"movieexample.com/fleet/test/docs/catalogue"
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
			s := &scope{fs: ratingService(), plan: plan.Plan{Decision: &plan.Decision{Verb: test.verb, State: plan.State{Rejected: earlier}}}}
			(&Reconciler{}).measure(s, &v1alpha1.FleetServiceStatus{})
			if got := counted(test.outcome, test.cause) - before; got != 1 {
				t.Errorf("fleet_rollouts_total{outcome=%q, cause=%q} rose by %v, want 1", test.outcome, test.cause, got)
			}
		})
	}
}

// TestMetricsOfRolloutsAreDocumented: docs/metrics.md has what rollouts show, whatever becomes of them, and nothing else.
func TestMetricsOfRolloutsAreDocumented(t *testing.T) {
	document, err := catalogue.Read("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	begun := time.Unix(1e9, 0)
	for verb := range outcomes {
		before := &v1alpha1.FleetServiceStatus{Canary: &v1alpha1.RevisionStatus{Since: metav1.NewTime(begun)}}
		s := &scope{fs: ratingService(), book: &book{}, plan: plan.Plan{Decision: &plan.Decision{Verb: verb, State: plan.State{
			Rejected: plan.Rejection{Reason: v1alpha1.ReasonStarved},
		}}}}
		s.observation.Now, s.observation.State.Percent = begun.Add(time.Minute), 5
		(&Reconciler{}).measure(s, before)
		s.measureEvidence()
	}
	owned := ratingService()
	owned.Spec.Ownership = &v1alpha1.Ownership{Accountable: "a@example.com", Support: "#movies"}
	ownership.set(owned)
	defer ownership.forget(client.ObjectKeyFromObject(owned))
	registry := prometheus.NewRegistry()
	registry.MustRegister(allMetrics()...)
	shown := gathered(t, registry)
	for _, problem := range document.Check("operator", shown) {
		t.Error(problem)
	}
	for _, m := range document.Of("operator") {
		if _, ok := shown[m.Name]; !ok && strings.HasPrefix(m.Name, "fleet_") && !strings.HasPrefix(m.Name, "fleet_ingestor_") {
			t.Errorf("%s is documented and not shown", m.Name)
		}
	}
}

func ratingService() *v1alpha1.FleetService {
	return &v1alpha1.FleetService{ObjectMeta: metav1.ObjectMeta{Namespace: "movies", Name: "rating"}}
}

func gathered(t *testing.T, registry *prometheus.Registry) catalogue.Shown {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	shown := catalogue.Shown{}
	for _, f := range families {
		shown[f.GetName()] = f
	}
	return shown
}
