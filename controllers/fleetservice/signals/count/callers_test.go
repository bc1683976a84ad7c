package count_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"movieexample.com/fleet/controllers/fleetservice/signals"
	"movieexample.com/fleet/controllers/fleetservice/signals/count"
)

const callerPage = `grpc_client_handled_total{code="OK",revision="cccc",target="rating"} 90
grpc_client_handled_total{code="DeadlineExceeded",revision="cccc",target="rating"} 5
grpc_client_handled_total{code="Unavailable",revision="cccc",target="rating"} 2
grpc_client_handled_total{code="NotFound",revision="cccc",target="rating"} 3
grpc_client_handled_total{code="OK",revision="ssss",target="rating"} 900
grpc_client_handled_total{code="Canceled",revision="ssss",target="rating"} 4
grpc_client_handled_total{code="Unavailable",revision="",target="rating"} 77
grpc_client_handled_total{code="OK",revision="oooo",target="rating"} 33
grpc_client_handled_total{code="Internal",revision="cccc",target="metadata"} 500
grpc_client_unreachable_total{revision="cccc",target="rating"} 7
# TYPE grpc_client_handling_seconds histogram
grpc_client_handling_seconds_bucket{revision="cccc",target="rating",le="0.1"} 80
grpc_client_handling_seconds_bucket{revision="cccc",target="rating",le="+Inf"} 100
grpc_client_handling_seconds_count{revision="cccc",target="rating"} 100
grpc_client_handling_seconds_bucket{revision="cccc",target="metadata",le="0.1"} 0
grpc_client_handling_seconds_count{revision="cccc",target="metadata"} 500
`

func TestCallers(t *testing.T) {
	s := newService(t)
	reading, findings := s.read(count.Request{
		Meaning: meaning(100), Upstreams: []string{"rating"},
		Pods: []count.PodTarget{s.pod("1", canary, &page{text: "up 1\n"})},
		Callers: []count.CallerTarget{
			{UID: "a", Name: "movie-a", Address: s.open("a", &page{text: callerPage})},
			{UID: "b", Name: "movie-b", Address: s.open("b", &page{text: "up 1\n"})},
			{UID: "c", Name: "movie-c", Address: s.open("c", &page{text: strings.Replace(callerPage, " 90\n", " NaN\n", 1)})},
		},
	})
	want := []signals.CallerReading{
		{UID: "a", Name: "movie-a", Revisions: map[string]map[string]signals.Total{
			canary: {"errors": {Requests: 107, Bad: 14}, "refusals": {Requests: 100, Bad: 3}, "latency": {Requests: 100, Bad: 20}},
			stable: {"errors": {Requests: 904, Bad: 0}, "refusals": {Requests: 904, Bad: 0}},
		}},
		{UID: "b", Name: "movie-b", Revisions: map[string]map[string]signals.Total{}},
		{UID: "c", Name: "movie-c", Err: "grpc_client_handled_total has the value NaN, which is no number of requests"},
	}
	if diff := cmp.Diff(want, reading.Callers); diff != "" {
		t.Errorf("Callers (-want +got):\n%s", diff)
	}
	if findings.Unmeasurable != "" {
		t.Errorf("Unmeasurable = %q, want nothing: callers count what the pods do not", findings.Unmeasurable)
	}
}

// TestCallersWithoutStable: a call that no instance is known to have got is nobody's, also where there is no stable revision.
func TestCallersWithoutStable(t *testing.T) {
	s := newService(t)
	reading, _ := s.reader.Read(t.Context(), count.Request{
		Canary: canary, Meaning: meaning(0), Upstreams: []string{"rating"},
		Callers: []count.CallerTarget{{UID: "a", Address: s.open("a", &page{text: callerPage})}},
	})
	want := map[string]map[string]signals.Total{canary: {"errors": {Requests: 107, Bad: 14}, "refusals": {Requests: 100, Bad: 3}}}
	if diff := cmp.Diff(want, reading.Callers[0].Revisions); diff != "" {
		t.Errorf("Revisions (-want +got):\n%s", diff)
	}
}

// TestCallersLatency: where neither pods nor callers can judge the bound, it is said with what they have.
func TestCallersLatency(t *testing.T) {
	s := newService(t)
	_, findings := s.read(count.Request{
		Meaning: meaning(75), Upstreams: []string{"rating"},
		Pods:    []count.PodTarget{s.pod("1", canary, &page{text: httpPage})},
		Callers: []count.CallerTarget{{UID: "a", Address: s.open("a", &page{text: callerPage})}},
	})
	if want := "75 ms is no bucket of grpc_client_handling_seconds: choose one of its 100 ms"; !strings.Contains(findings.Unmeasurable, want) {
		t.Errorf("Unmeasurable = %q, want %q", findings.Unmeasurable, want)
	}
}
