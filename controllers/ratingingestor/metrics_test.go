package ratingingestor

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/ratingingestor/scaling"
	"movieexample.com/fleet/test/docs/catalogue"
)

// TestMetricsAreDocumented: docs/metrics.md has what ingestors show and nothing else; an ingestor whose Kafka does not answer
// shows nothing.
func TestMetricsAreDocumented(t *testing.T) {
	document, err := catalogue.Read("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	registry := prometheus.NewRegistry()
	for _, g := range allMetrics() {
		registry.MustRegister(g)
	}
	ri := &v1alpha1.RatingIngestor{ObjectMeta: metav1.ObjectMeta{Namespace: "movies", Name: "ratings"}}
	o := observation{ri: ri, kafka: &view{at: time.Unix(1e9, 0)}}
	(&Reconciler{}).measure(o, plan{rates: scaling.Rates{Lag: 3}}, v1alpha1.RatingIngestorStatus{Partitions: 4})
	shown := gathered(t, registry)
	for _, problem := range document.Check("operator", shown) {
		t.Error(problem)
	}
	for _, m := range document.Of("operator") {
		if _, ok := shown[m.Name]; !ok && strings.HasPrefix(m.Name, "fleet_ingestor_") {
			t.Errorf("%s is documented and not shown", m.Name)
		}
	}
	o.kafka.err = "connection refused"
	(&Reconciler{}).measure(o, plan{}, v1alpha1.RatingIngestorStatus{})
	if left := gathered(t, registry); len(left) > 0 {
		t.Errorf("while Kafka is away %d metrics are shown, want none", len(left))
	}
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
