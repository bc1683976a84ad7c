package count_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	clocktesting "k8s.io/utils/clock/testing"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/fleetservice/signals"
	"movieexample.com/fleet/controllers/fleetservice/signals/count"
	"movieexample.com/fleet/controllers/fleetservice/signals/scrape"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const canary, stable = "cccc", "ssss"

// service is pods that show pages, and a reader of them.
type service struct {
	t      *testing.T
	clock  *clocktesting.FakePassiveClock
	reader *count.Reader
	began  time.Time
	order  *order
}

// order is in which order pages were asked for.
type order struct {
	mu  sync.Mutex
	uid []string
}

// newService reads with patience: a pod on a busy machine is not a slow one.
func newService(t *testing.T) *service {
	return newServiceWith(t, scrape.Limits{Timeout: time.Minute})
}

func newServiceWith(t *testing.T, limits scrape.Limits) *service {
	began := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	clk := clocktesting.NewFakePassiveClock(began.Add(time.Second))
	reader := count.NewReaderWith(limits, clk)
	t.Cleanup(reader.Close)
	return &service{t: t, clock: clk, reader: reader, began: began, order: &order{}}
}

// page is what a pod shows; it may be changed between readings.
type page struct {
	text  string
	hangs bool   // answers when nobody waits any more
	then  func() // right before the answer
}

func (s *service) open(uid string, p *page) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.order.mu.Lock()
		s.order.uid = append(s.order.uid, uid)
		s.order.mu.Unlock()
		if p.hangs {
			<-r.Context().Done()
		}
		if p.then != nil {
			p.then()
		}
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		_, _ = io.WriteString(w, p.text)
	}))
	s.t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

func (s *service) pod(uid, revision string, p *page) count.PodTarget {
	return count.PodTarget{UID: uid, Name: "pod-" + uid, Revision: revision, Began: s.began, Address: s.open(uid, p)}
}

func (s *service) read(q count.Request) (signals.Reading, count.Findings) {
	q.Canary, q.Stable = canary, stable
	return s.reader.Read(context.Background(), q)
}

// meaning is what a spec without words about metrics means, with a latency of so many milliseconds; 0 is none.
func meaning(latency int32) count.Meaning {
	if latency == 0 {
		return count.NewMeaning(nil, nil)
	}
	return count.NewMeaning(nil, &v1alpha1.Objectives{Latency: &v1alpha1.LatencyObjective{BoundMilliseconds: latency}})
}

const grpcPage = `grpc_server_handled_total{grpc_code="OK",grpc_service="rating.v1.RatingService",grpc_type="unary"} 100
grpc_server_handled_total{grpc_code="Canceled",grpc_service="rating.v1.RatingService",grpc_type="unary"} 1
grpc_server_handled_total{grpc_code="Unknown",grpc_service="rating.v1.RatingService",grpc_type="unary"} 1
grpc_server_handled_total{grpc_code="DeadlineExceeded",grpc_service="rating.v1.RatingService",grpc_type="unary"} 1
grpc_server_handled_total{grpc_code="INTERNAL",grpc_service="rating.v1.RatingService",grpc_type="unary"} 1
grpc_server_handled_total{grpc_code="Unavailable",grpc_service="rating.v1.RatingService",grpc_type="server_stream"} 1
grpc_server_handled_total{grpc_code="UNIMPLEMENTED",grpc_service="rating.v1.RatingService",grpc_type="unary"} 1
grpc_server_handled_total{grpc_code="DataLoss",grpc_service="rating.v1.RatingService",grpc_type="unary"} 1
grpc_server_handled_total{grpc_code="NotFound",grpc_service="rating.v1.RatingService",grpc_type="unary"} 10
grpc_server_handled_total{grpc_code="PERMISSION_DENIED",grpc_service="rating.v1.RatingService",grpc_type="unary"} 20
grpc_server_handled_total{grpc_code="Unavailable",grpc_service="grpc.health.v1.Health",grpc_type="unary"} 1000
grpc_server_handled_total{grpc_code="Canceled",grpc_service="grpc.reflection.v1.ServerReflection",grpc_type="bidi_stream"} 1000
`

const httpPage = `http_requests_total{code="200",method="get",path="/v1/ratings"} 50
http_requests_total{code="404",method="get",path="/v1/ratings"} 5
http_requests_total{code="503",method="get",path="/v1/ratings"} 2
http_requests_total{code="503",method="get",path="/readyz"} 1000
`

const histogram = `# TYPE %[1]s histogram
%[1]s_bucket{grpc_service="rating.v1.RatingService",grpc_type="unary",le="0.05"} 80
%[1]s_bucket{grpc_service="rating.v1.RatingService",grpc_type="unary",le="0.1"} 90
%[1]s_bucket{grpc_service="rating.v1.RatingService",grpc_type="unary",le="+Inf"} 100
%[1]s_count{grpc_service="rating.v1.RatingService",grpc_type="unary"} 100
%[1]s_bucket{grpc_service="grpc.health.v1.Health",grpc_type="unary",le="0.1"} 0
%[1]s_bucket{grpc_service="grpc.health.v1.Health",grpc_type="unary",le="+Inf"} 1000
%[1]s_count{grpc_service="grpc.health.v1.Health",grpc_type="unary"} 1000
`

func seconds(name string) string { return fmt.Sprintf(histogram, name) }

func own(path, durations string, requests ...v1alpha1.RequestCounter) *v1alpha1.SignalPolicy {
	return &v1alpha1.SignalPolicy{Metrics: &v1alpha1.MetricsMeaning{Path: path, Durations: durations, Requests: requests}}
}

// TestPageOfOnePod: what one page means.
func TestPageOfOnePod(t *testing.T) {
	objectives := &v1alpha1.Objectives{Latency: &v1alpha1.LatencyObjective{BoundMilliseconds: 100}}
	late := signals.Total{Requests: 100, Bad: 10}
	for name, c := range map[string]struct {
		page       string
		policy     *v1alpha1.SignalPolicy
		objectives *v1alpha1.Objectives
		want       map[string]signals.Total
		err        string
		reason     string
		finding    string
	}{
		"gRPC, both spellings, without probes and reflection": {
			page: grpcPage, want: map[string]signals.Total{"errors": {Requests: 137, Bad: 6}, "refusals": {Requests: 137, Bad: 30}},
		},
		"HTTP, without probes": {
			page: httpPage, want: map[string]signals.Total{"errors": {Requests: 57, Bad: 2}, "refusals": {Requests: 57, Bad: 5}},
		},
		"both: a request through both is not to count twice": {
			page: grpcPage + httpPage, want: map[string]signals.Total{"errors": {Requests: 137, Bad: 6}, "refusals": {Requests: 137, Bad: 30}},
		},
		"both chosen: both count": {
			page: grpcPage + httpPage,
			policy: own("", "", v1alpha1.RequestCounter{Counter: "grpc_server_handled_total", CodeLabel: "grpc_code", Errors: []string{"Un*"}},
				v1alpha1.RequestCounter{Counter: "http_requests_total", Errors: []string{"503"}, Refusals: []string{"40*"}}),
			want: map[string]signals.Total{"errors": {Requests: 194, Bad: 4}, "refusals": {Requests: 194, Bad: 5}},
		},
		"gRPC for probes only: HTTP counts": {
			page: `grpc_server_handled_total{grpc_code="OK",grpc_service="grpc.health.v1.Health"} 7` + "\n" + httpPage,
			want: map[string]signals.Total{"errors": {Requests: 57, Bad: 2}, "refusals": {Requests: 57, Bad: 5}},
		},
		"latency": {
			page: grpcPage + seconds("grpc_server_handling_seconds"), objectives: objectives,
			want: map[string]signals.Total{"errors": {Requests: 137, Bad: 6}, "refusals": {Requests: 137, Bad: 30}, "latency": late},
		},
		"latency of HTTP": {
			page: httpPage + seconds("http_request_duration_seconds"), objectives: objectives,
			want: map[string]signals.Total{"errors": {Requests: 57, Bad: 2}, "refusals": {Requests: 57, Bad: 5}, "latency": late},
		},
		"latency of its own": {
			page: httpPage + seconds("mine"), policy: own("", "mine"), objectives: objectives,
			want: map[string]signals.Total{"errors": {Requests: 57, Bad: 2}, "refusals": {Requests: 57, Bad: 5}, "latency": late},
		},
		"no latency asked for": {
			page: httpPage + seconds("http_request_duration_seconds"), want: map[string]signals.Total{"errors": {Requests: 57, Bad: 2}, "refusals": {Requests: 57, Bad: 5}},
		},
		"no bucket": {
			page: httpPage + seconds("http_request_duration_seconds"), objectives: &v1alpha1.Objectives{Latency: &v1alpha1.LatencyObjective{BoundMilliseconds: 75}},
			want:   map[string]signals.Total{"errors": {Requests: 57, Bad: 2}, "refusals": {Requests: 57, Bad: 5}},
			reason: v1alpha1.ReasonNotABucket, finding: "revision cccc: objectives.latency.boundMilliseconds: 75 ms is no bucket of http_request_duration_seconds: choose one of its 50, 100 ms",
		},
		"a summary": {
			page: httpPage + "# TYPE http_request_duration_seconds summary\nhttp_request_duration_seconds{quantile=\"0.5\"} 0.02\n", objectives: objectives,
			want:   map[string]signals.Total{"errors": {Requests: 57, Bad: 2}, "refusals": {Requests: 57, Bad: 5}},
			reason: v1alpha1.ReasonNotAHistogram, finding: "http_request_duration_seconds is a summary, and latency is counted in the buckets of a histogram",
		},
		"no histogram": {
			page: httpPage, objectives: objectives, want: map[string]signals.Total{"errors": {Requests: 57, Bad: 2}, "refusals": {Requests: 57, Bad: 5}},
			reason: v1alpha1.ReasonNotCounted, finding: "no pod shows grpc_server_handling_seconds or http_request_duration_seconds in its metrics; name the program's own histogram in signals.metrics.durations",
		},
		"nothing known": {
			page: "up 1\n", want: map[string]signals.Total{},
			reason: v1alpha1.ReasonNotCounted, finding: "no pod shows grpc_server_handled_total or http_requests_total in its metrics; name the program's own counters in signals.metrics.requests",
		},
		"counters that are gauges, or nothing": {
			page: "# TYPE http_requests_total gauge\n" + httpPage, want: map[string]signals.Total{"errors": {Requests: 57, Bad: 2}, "refusals": {Requests: 57, Bad: 5}},
		},
		"values as floats": {
			page: "http_requests_total{code=\"200\"} 1e+06\nhttp_requests_total{code=\"500\"} 2.0\n", want: map[string]signals.Total{"errors": {Requests: 1000002, Bad: 2}, "refusals": {Requests: 1000002, Bad: 0}},
		},
		"NaN":                     {page: httpPage + `http_requests_total{code="500"} NaN` + "\n", err: "http_requests_total has the value NaN, which is no number of requests"},
		"negative":                {page: httpPage + `http_requests_total{code="500"} -1` + "\n", err: "has the value -1"},
		"infinite":                {page: `http_requests_total{code="500"} +Inf` + "\n", err: "has the value +Inf"},
		"too many":                {page: `http_requests_total{code="500"} 1e300` + "\n", err: "has the value 1e+300"},
		"half a request":          {page: `http_requests_total{code="500"} 0.5` + "\n", err: "has the value 0.5"},
		"a histogram for counter": {page: "# TYPE http_requests_total histogram\nhttp_requests_total_count{code=\"500\"} 1\n", err: "http_requests_total is no counter"},
		"parts of an answer": {
			page: "# TYPE http_request_duration_seconds histogram\nhttp_request_duration_seconds_bucket{le=\"0.1\"} NaN\nhttp_request_duration_seconds_count 3\n", objectives: objectives,
			err: "http_request_duration_seconds does not count answers",
		},
		"more within than at all": {
			page: "# TYPE http_request_duration_seconds histogram\nhttp_request_duration_seconds_bucket{le=\"0.1\"} 5\nhttp_request_duration_seconds_count 3\n", objectives: objectives,
			err: "5 within 0.1 s of 3 in all",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newService(t)
			reading, findings := s.read(count.Request{
				Pods: []count.PodTarget{s.pod("1", canary, &page{text: c.page})}, Meaning: count.NewMeaning(c.policy, c.objectives),
			})
			got := reading.Pods[0]
			if diff := cmp.Diff(c.want, got.Totals); diff != "" {
				t.Errorf("Read of\n%s(-want +got):\n%s", c.page, diff)
			}
			if (c.err == "") != (got.Err == "") || !strings.Contains(got.Err, c.err) {
				t.Errorf("Err = %q, want %q", got.Err, c.err)
			}
			if c.reason != findings.Reason || (c.finding == "") != (findings.Unmeasurable == "") || !strings.Contains(findings.Unmeasurable, c.finding) {
				t.Errorf("Read found %s: %q, want %s: %q", findings.Reason, findings.Unmeasurable, c.reason, c.finding)
			}
			if again := got.Again; again != nil {
				t.Errorf("Again of a canary = %v, want none", again)
			}
		})
	}
}
