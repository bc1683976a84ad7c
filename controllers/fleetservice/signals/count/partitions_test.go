package count_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/fleetservice/signals"
	"movieexample.com/fleet/controllers/fleetservice/signals/count"
)

// TestPartitions: a consumer's page tells how far it is; what cannot be an offset is left out.
func TestPartitions(t *testing.T) {
	policy := &v1alpha1.SignalPolicy{Metrics: &v1alpha1.MetricsMeaning{Requests: []v1alpha1.RequestCounter{
		{Counter: "ingest_events_total", CodeLabel: "outcome", Errors: []string{"failed", "dead_lettered"}},
	}}}
	text := `# TYPE ingest_next_offset gauge
ingest_next_offset{partition="0"} 42
ingest_next_offset{partition="7"} 1e+06
ingest_next_offset{partition="8"} -1
ingest_next_offset{partition="9"} NaN
ingest_next_offset{partition="x"} 3
# TYPE ingest_lag_records gauge
ingest_lag_records{partition="0"} 5
ingest_lag_records{partition="7"} +Inf
ingest_lag_records{partition="11"} 6
ingest_events_total{outcome="applied"} 40
ingest_events_total{outcome="failed"} 2
`
	s := newService(t)
	for name, c := range map[string]struct {
		meaning count.Meaning
		want    map[int32]signals.Partition
	}{
		"of a consumer":      {count.NewMeaning(policy, nil).OfConsumer(), map[int32]signals.Partition{0: {Next: 42, Lag: 5}, 7: {Next: 1000000}}},
		"of another service": {count.NewMeaning(policy, nil), nil},
	} {
		t.Run(name, func(t *testing.T) {
			reading, _ := s.read(count.Request{Pods: []count.PodTarget{s.pod(name, canary, &page{text: text})}, Meaning: c.meaning})
			if diff := cmp.Diff(c.want, reading.Pods[0].Partitions); diff != "" {
				t.Errorf("Partitions (-want +got):\n%s", diff)
			}
			if got, want := reading.Pods[0].Totals[signals.Errors], (signals.Total{Requests: 42, Bad: 2}); got != want {
				t.Errorf("errors = %v, want %v", got, want)
			}
		})
	}
}
