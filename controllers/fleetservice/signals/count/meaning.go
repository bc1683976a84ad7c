package count

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"movieexample.com/fleet/api/v1alpha1"
)

// Metrics of grpc-go's middleware and of the fleet's kit.
const (
	grpcHandled   = "grpc_server_handled_total"
	grpcStarted   = "grpc_server_started_total"
	grpcSeconds   = "grpc_server_handling_seconds"
	httpRequests  = "http_requests_total"
	httpSeconds   = "http_request_duration_seconds"
	calledHandled = "grpc_client_handled_total"
	calledSeconds = "grpc_client_handling_seconds"
	unreachable   = "grpc_client_unreachable_total"

	defaultPath = "/metrics"
	// leastHang is how long a call may be open before it is taken for one that hangs, at least.
	leastHang = 2 * time.Second
)

// counter is a counter of answers by code.
type counter struct {
	name, label      string
	errors, refusals patterns
}

// patterns match codes; a final * stands for any ending.
type patterns []string

func (p patterns) match(code string) bool {
	return slices.ContainsFunc(p, func(pattern string) bool {
		prefix, open := strings.CutSuffix(pattern, "*")
		return (open && strings.HasPrefix(code, prefix)) || pattern == code
	})
}

// Codes of gRPC as grpc-go's middleware writes them and as the specification does. CANCELLED is nobody's fault.
var (
	grpcErrors = patterns{ // a constant
		"Unknown", "DeadlineExceeded", "Internal", "Unavailable", "Unimplemented", "DataLoss",
		"UNKNOWN", "DEADLINE_EXCEEDED", "INTERNAL", "UNAVAILABLE", "UNIMPLEMENTED", "DATA_LOSS",
	}
	grpcRefusals = patterns{ // a constant
		"NotFound", "InvalidArgument", "Unauthenticated", "PermissionDenied", "FailedPrecondition", "OutOfRange", "AlreadyExists", "ResourceExhausted", "Aborted",
		"NOT_FOUND", "INVALID_ARGUMENT", "UNAUTHENTICATED", "PERMISSION_DENIED", "FAILED_PRECONDITION", "OUT_OF_RANGE", "ALREADY_EXISTS", "RESOURCE_EXHAUSTED", "ABORTED",
	}
)

// Meaning says which metrics mean what. The first counter that a page has is the one that counts: where a program counts
// gRPC and HTTP, and its HTTP is served by its gRPC handlers, nothing is counted twice.
type Meaning struct {
	path      string
	counters  []counter
	durations []string
	// bound is the latency's, in seconds; 0 where latency is not judged.
	bound float64
	hang  time.Duration
}

// NewMeaning compiles what a spec says; either part may be nil.
func NewMeaning(policy *v1alpha1.SignalPolicy, objectives *v1alpha1.Objectives) Meaning {
	m := Meaning{
		path: defaultPath, hang: leastHang, durations: []string{grpcSeconds, httpSeconds},
		counters: []counter{
			{grpcHandled, "grpc_code", grpcErrors, grpcRefusals},
			{httpRequests, "code", patterns{"5*"}, patterns{"4*"}},
		},
	}
	if objectives != nil && objectives.Latency != nil {
		m.bound = float64(objectives.Latency.BoundMilliseconds) / 1000
		m.hang = max(leastHang, time.Duration(objectives.Latency.BoundMilliseconds)*time.Millisecond)
	}
	if policy == nil || policy.Metrics == nil {
		return m
	}
	own := policy.Metrics
	m.path = cmp.Or(own.Path, m.path)
	if own.Durations != "" {
		m.durations = []string{own.Durations}
	}
	if len(own.Requests) > 0 {
		m.counters = nil
	}
	for _, r := range own.Requests {
		m.counters = append(m.counters, counter{r.Counter, cmp.Or(r.CodeLabel, "code"), r.Errors, r.Refusals})
	}
	return m
}

// wants tells whether a family is of any use.
func (m Meaning) wants(family string) bool {
	switch family {
	case grpcStarted, calledHandled, calledSeconds, unreachable:
		return true
	}
	return slices.Contains(m.durations, family) || slices.ContainsFunc(m.counters, func(c counter) bool { return c.name == family })
}

// lookedFor names the counters, for messages.
func (m Meaning) lookedFor() string {
	var names []string
	for _, c := range m.counters {
		names = append(names, c.name)
	}
	return strings.Join(names, " or ")
}

// whole reads a counter's value: a whole number of requests. What is none is an error, since whoever writes such a page
// cannot be believed.
func whole(name string, v float64) (int64, error) {
	const most = 1 << 53
	if math.IsNaN(v) || v < 0 || v > most || v != math.Trunc(v) {
		return 0, fmt.Errorf("%s has the value %g, which is no number of requests", name, v)
	}
	return int64(v), nil
}
