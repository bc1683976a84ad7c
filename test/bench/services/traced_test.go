//go:build bench

package services_test

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"sync/atomic"
	"testing"

	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/propagation"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	collectorv1 "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/grpc"

	"movieexample.com/fleet/test/bench/table"
)

// productionRatio is the share of traces that is recorded in production.
const productionRatio = 0.01

// tracing says where spans go and how many; the zero value is off.
type tracing struct {
	endpoint string
	ratio    float64
}

// production is how services trace in production, with a collector of the test's own.
func production(tb testing.TB) tracing {
	tb.Helper()
	return tracing{startSink(tb).endpoint, productionRatio}
}

// settings are the lines of a service's configuration.
func (t tracing) settings() string {
	if t.endpoint == "" {
		return ""
	}
	return fmt.Sprintf("telemetry: {traces: {endpoint: '%s', ratio: %g}}\n", t.endpoint, t.ratio)
}

// env tells the same to a bare server.
func (t tracing) env() []string {
	if t.endpoint == "" {
		return nil
	}
	return []string{envTraces + "=" + t.endpoint, envRatio + "=" + strconv.FormatFloat(t.ratio, 'g', -1, 64)}
}

// sink is a collector that counts spans and keeps none.
type sink struct {
	collectorv1.UnimplementedTraceServiceServer

	endpoint string
	spans    atomic.Int64
}

func startSink(tb testing.TB) *sink {
	tb.Helper()
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	s := &sink{endpoint: "http://" + listener.Addr().String()}
	server, ended := grpc.NewServer(), make(chan error, 1)
	collectorv1.RegisterTraceServiceServer(server, s)
	go func() { ended <- server.Serve(listener) }() // until the cleanup
	tb.Cleanup(func() {
		server.Stop()
		if err := <-ended; err != nil {
			tb.Error(err)
		}
	})
	return s
}

// Export is what exporters call.
func (s *sink) Export(_ context.Context, r *collectorv1.ExportTraceServiceRequest) (*collectorv1.ExportTraceServiceResponse, error) {
	for _, resource := range r.GetResourceSpans() {
		for _, scope := range resource.GetScopeSpans() {
			s.spans.Add(int64(len(scope.GetSpans())))
		}
	}
	return &collectorv1.ExportTraceServiceResponse{}, nil
}

// bareTraces is what a program gets that follows the manual of OpenTelemetry.
func bareTraces(endpoint, ratio string) ([]grpc.ServerOption, []grpc.DialOption, error) {
	if endpoint == "" {
		return nil, nil, nil
	}
	share, err := strconv.ParseFloat(ratio, 64)
	if err != nil {
		return nil, nil, err
	}
	exporter, err := otlptracegrpc.New(context.Background(), otlptracegrpc.WithEndpointURL(endpoint))
	if err != nil {
		return nil, nil, err
	}
	options := []otelgrpc.Option{
		otelgrpc.WithPropagators(propagation.TraceContext{}),
		otelgrpc.WithTracerProvider(sdk.NewTracerProvider(
			sdk.WithSampler(sdk.ParentBased(sdk.TraceIDRatioBased(share))), sdk.WithBatcher(exporter))),
	}
	return []grpc.ServerOption{grpc.StatsHandler(otelgrpc.NewServerHandler(options...))},
		[]grpc.DialOption{grpc.WithStatsHandler(otelgrpc.NewClientHandler(options...))}, nil
}

// TestBenchTracing tells what traces cost the same fleet.
func TestBenchTracing(t *testing.T) {
	collector := startSink(t)
	off := startFleet(t, nil, tracing{})
	some := startFleet(t, nil, tracing{collector.endpoint, productionRatio})
	all := startFleet(t, nil, tracing{collector.endpoint, 1})
	var ofSome, ofAll []float64
	for range rounds {
		o, oEach := throughput(t, off, callers, round)
		s, sEach := throughput(t, some, callers, round)
		a, aEach := throughput(t, all, callers, round)
		t.Logf("calls a second by ratio: off %.0f, %g %.0f, 1 %.0f; processor time for each: %s, %s, %s", o, productionRatio, s, a, oEach, sEach, aEach)
		ofSome, ofAll = append(ofSome, s/o), append(ofAll, a/o)
	}
	table.Row(t, fmt.Sprintf("throughput with traces at ratio %g, of that without", productionRatio), fmt.Sprintf("%.2f", median(ofSome)))
	table.Row(t, "throughput with all calls traced, of that without", fmt.Sprintf("%.2f", median(ofAll)))
	if collector.spans.Load() == 0 {
		t.Error("no span reached the collector")
	}
}
