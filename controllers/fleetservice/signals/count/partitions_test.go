package count_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/fleetservice/signals"
	"movieexample.com/fleet/controllers/fleetservice/signals/count"
)

// TestPartitions: a consumer's page tells how far it is; what cannot be an offset is left out, and events of no
// partition are only in the sum.
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
# TYPE ingest_waiting gauge
ingest_waiting{for="broker"} 1
ingest_waiting{for="database"} 0
ingest_waiting{for="godot"} 1
ingest_events_total{outcome="applied",partition=""} 0
ingest_events_total{outcome="applied",partition="0"} 30
ingest_events_total{outcome="failed",partition="0"} 2
ingest_events_total{outcome="applied",partition="5"} 7
ingest_events_total{outcome="applied",partition="x"} 2
ingest_events_total{outcome="applied"} 1
`
	s := newService(t)
	for name, c := range map[string]struct {
		meaning count.Meaning
		want    map[int32]signals.Partition
		split   map[string]map[int32]signals.Total
		waits   string
	}{
		"of a consumer": {
			count.NewMeaning(policy, nil).OfConsumer(), map[int32]signals.Partition{0: {Next: 42, Lag: 5}, 7: {Next: 1000000}},
			map[string]map[int32]signals.Total{
				signals.Errors:   {0: {Requests: 32, Bad: 2}, 5: {Requests: 7}},
				signals.Refusals: {0: {Requests: 32}, 5: {Requests: 7}},
			}, signals.Broker,
		},
		"of another service": {count.NewMeaning(policy, nil), nil, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			reading, _ := s.read(count.Request{Pods: []count.PodTarget{s.pod(name, canary, &page{text: text})}, Meaning: c.meaning})
			if diff := cmp.Diff(c.want, reading.Pods[0].Partitions); diff != "" {
				t.Errorf("Partitions (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.split, reading.Pods[0].Split); diff != "" {
				t.Errorf("Split (-want +got):\n%s", diff)
			}
			if got := reading.Pods[0].Waits; got != c.waits {
				t.Errorf("Waits = %q, want %q", got, c.waits)
			}
			if got, want := reading.Pods[0].Totals[signals.Errors], (signals.Total{Requests: 42, Bad: 2}); got != want {
				t.Errorf("errors = %v, want %v", got, want)
			}
		})
	}
}

// TestManyPartitions: of a page that tells of more partitions than are kept apart, the others are in the sum all the same; and
// a consumer that counts without partitions says so by none.
func TestManyPartitions(t *testing.T) {
	policy := &v1alpha1.SignalPolicy{Metrics: &v1alpha1.MetricsMeaning{Requests: []v1alpha1.RequestCounter{{Counter: "events_total", Errors: []string{"bad"}}}}}
	var many strings.Builder
	for partition := range 1500 {
		fmt.Fprintf(&many, "events_total{code=\"ok\",partition=\"%d\"} 2\n", partition)
	}
	for name, c := range map[string]struct {
		text  string
		split int
		want  signals.Total
	}{
		"1500":          {many.String(), 1000, signals.Total{Requests: 3000}},
		"no partitions": {"events_total{code=\"ok\"} 3\nevents_total{code=\"bad\"} 1\n", 0, signals.Total{Requests: 4, Bad: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newService(t)
			reading, _ := s.read(count.Request{Pods: []count.PodTarget{s.pod("a", canary, &page{text: c.text})}, Meaning: count.NewMeaning(policy, nil).OfConsumer()})
			p := reading.Pods[0]
			if got := len(p.Split[signals.Errors]); got != c.split || p.Totals[signals.Errors] != c.want || (c.split == 0) != (p.Split == nil) {
				t.Errorf("%d partitions of %v, want %d of %v", got, p.Totals[signals.Errors], c.split, c.want)
			}
		})
	}
}
