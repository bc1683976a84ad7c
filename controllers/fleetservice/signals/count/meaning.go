package count

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"movieexample.com/fleet/api/v1alpha1"
)

// Metrics of grpc-go's middleware, of common HTTP middleware, and of the fleet's own clients.
const (
	grpcHandled   = "grpc_server_handled_total"
	grpcStarted   = "grpc_server_started_total"
	grpcSeconds   = "grpc_server_handling_seconds"
	httpRequests  = "http_requests_total"
	httpSeconds   = "http_request_duration_seconds"
	calledHandled = "grpc_client_handled_total"
	calledSeconds = "grpc_client_handling_seconds"
	unreachable   = "grpc_client_unreachable_total"

	nextOffset = "ingest_next_offset"
	lagRecords = "ingest_lag_records"
	waiting    = "ingest_waiting"

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

// Codes of gRPC as grpc-go's middleware writes them and as the specification does. CANCELLED is nobody's fault: the caller
// did not wait for the answer.
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

// Meaning says which metrics mean what.
type Meaning struct {
	path string
	// counters are the counters of answers, and durations the histograms of their time, in the order of preference.
	counters  []counter
	durations []string
	// summed is true where all counters count, since somebody chose them. Without a choice only the first counts that there
	// is: a program that serves HTTP through its gRPC handlers counts such a request in both, and two counts of one fault
	// would weigh twice.
	summed bool
	// bound is the latency's, in seconds; 0 where latency is not judged.
	bound float64
	// hang is how long a call may be open.
	hang time.Duration
	// partitions is true of consumers, whose pages tell how far they are with each partition.
	partitions bool
}

// OfConsumer also reads how far a consumer is with its partitions.
func (m Meaning) OfConsumer() Meaning {
	m.partitions = true
	return m
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
		m.counters, m.summed = nil, true
	}
	for _, r := range own.Requests {
		m.counters = append(m.counters, counter{r.Counter, cmp.Or(r.CodeLabel, "code"), r.Errors, r.Refusals})
	}
	return m
}

// serverFamilies tells of which families a page of the service is read.
func (m Meaning) serverFamilies(family string) bool {
	return (family == grpcStarted && m.counts(grpcHandled)) || m.counts(family) ||
		(m.partitions && (family == nextOffset || family == lagRecords || family == waiting)) ||
		(m.bound > 0 && slices.Contains(m.durations, family))
}

// callerFamilies tells of which families a caller's page is read.
func (m Meaning) callerFamilies(family string) bool {
	return family == calledHandled || family == unreachable || (m.bound > 0 && family == calledSeconds)
}

func (m Meaning) counts(name string) bool {
	return slices.ContainsFunc(m.counters, func(c counter) bool { return c.name == name })
}

// counterNames and durationNames are what was looked for, for messages.
func (m Meaning) counterNames() string {
	var names []string
	for _, c := range m.counters {
		names = append(names, c.name)
	}
	return strings.Join(names, " or ")
}

func (m Meaning) durationNames() string { return strings.Join(m.durations, " or ") }
