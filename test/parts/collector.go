package parts

import (
	"context"
	"encoding/hex"
	"errors"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	collectorv1 "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonv1 "go.opentelemetry.io/proto/otlp/common/v1"
	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"

	"movieexample.com/fleet/test/ports"
)

// Span is one step of a trace, as a collector gets it. Identifiers are in hexadecimal.
type Span struct {
	Trace, ID, Parent string
	Name              string
	Failed            bool
	Attributes        map[string]string
	Resource          map[string]string // who recorded it: service.name, …
	Events            []Event
	Links             []string // traces that it points at
}

// Event is something that happened during a span.
type Event struct {
	Name       string
	Attributes map[string]string
}

// Collector is a real OTLP collector over gRPC that keeps what it gets in memory.
type Collector struct {
	collectorv1.UnimplementedTraceServiceServer

	address string
	server  *grpc.Server
	ended   chan error

	mu    sync.Mutex
	spans []Span
}

// StartCollector listens on a loopback port that stays the same over a restart, until the test ends.
func StartCollector(tb testing.TB) *Collector {
	tb.Helper()
	c := &Collector{address: ports.Address(tb)}
	tb.Cleanup(func() { c.Stop(tb) })
	c.Start(tb)
	return c
}

// Endpoint is the URL for a service's setting telemetry.traces.endpoint.
func (c *Collector) Endpoint() string { return "http://" + c.address }

// Start listens again after Stop.
func (c *Collector) Start(tb testing.TB) {
	tb.Helper()
	listener, err := net.Listen("tcp", c.address)
	if err != nil {
		tb.Fatal(err)
	}
	c.server, c.ended = grpc.NewServer(), make(chan error, 1)
	collectorv1.RegisterTraceServiceServer(c.server, c)
	server, ended := c.server, c.ended
	go func() { ended <- server.Serve(listener) }() // Stop waits for it
}

// Stop refuses connections from now on. What was collected stays.
func (c *Collector) Stop(tb testing.TB) {
	tb.Helper()
	if c.server == nil {
		return
	}
	c.server.Stop()
	if err := <-c.ended; err != nil && !errors.Is(err, grpc.ErrServerStopped) {
		tb.Error(err)
	}
	c.server = nil
}

// Export takes a batch of spans; it is what exporters call.
func (c *Collector) Export(
	_ context.Context, request *collectorv1.ExportTraceServiceRequest,
) (*collectorv1.ExportTraceServiceResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range request.GetResourceSpans() {
		from := attributes(r.GetResource().GetAttributes())
		for _, scope := range r.GetScopeSpans() {
			for _, s := range scope.GetSpans() {
				c.spans = append(c.spans, span(s, from))
			}
		}
	}
	return &collectorv1.ExportTraceServiceResponse{}, nil
}

func span(s *tracev1.Span, from map[string]string) Span {
	got := Span{
		Trace: hex.EncodeToString(s.GetTraceId()), ID: hex.EncodeToString(s.GetSpanId()), Parent: hex.EncodeToString(s.GetParentSpanId()),
		Name: s.GetName(), Failed: s.GetStatus().GetCode() == tracev1.Status_STATUS_CODE_ERROR,
		Attributes: attributes(s.GetAttributes()), Resource: from,
	}
	for _, l := range s.GetLinks() {
		got.Links = append(got.Links, hex.EncodeToString(l.GetTraceId()))
	}
	for _, e := range s.GetEvents() {
		got.Events = append(got.Events, Event{Name: e.GetName(), Attributes: attributes(e.GetAttributes())})
	}
	return got
}

func attributes(list []*commonv1.KeyValue) map[string]string {
	values := map[string]string{}
	for _, a := range list {
		if text, ok := a.GetValue().GetValue().(*commonv1.AnyValue_StringValue); ok {
			values[a.GetKey()] = text.StringValue
			continue
		}
		values[a.GetKey()] = a.GetValue().String()
	}
	return values
}

// Spans is what was collected so far.
func (c *Collector) Spans() []Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.spans)
}

// Wait is the spans as soon as enough holds for them; the test fails if it does not within a minute.
func (c *Collector) Wait(tb testing.TB, what string, enough func([]Span) bool) []Span {
	tb.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		spans := c.Spans()
		if enough(spans) {
			return spans
		}
		if time.Now().After(deadline) {
			tb.Fatalf("after a minute the collector has not got %s; it has %+v", what, spans)
		}
	}
}
