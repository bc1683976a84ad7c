package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
	"google.golang.org/grpc"
	"google.golang.org/grpc/stats"
)

// maxAttribute bounds each value of a span: the stack of a panic is worth this much, and no more.
const maxAttribute = 4 << 10

// TraceOptions say where spans go and whose they are.
type TraceOptions struct {
	// Endpoint is the URL of an OTLP collector's gRPC port; http has no TLS, https trusts the system's authorities.
	// Empty turns traces off.
	Endpoint string
	// Ratio is the share of the traces begun here that are recorded, from 0 to 1. Callers that began a trace decide
	// for it.
	Ratio float64

	Service   string
	Version   string
	Revision  string
	App       string
	Namespace string
	Instance  string
}

// Traces records the way of calls through the fleet. The zero value and nil are off, and cost nothing.
type Traces struct {
	provider *sdk.TracerProvider
	exporter *exporter
}

// NewTraces begins to export. A collector that is away is no error: spans are then counted and dropped, no call waits.
func NewTraces(ctx context.Context, o TraceOptions, metrics prometheus.Registerer, log *slog.Logger) (*Traces, error) {
	if o.Endpoint == "" {
		return nil, nil
	}
	client, err := dialCollector(ctx, o.Endpoint)
	if err != nil {
		return nil, fmt.Errorf("traces to %s: %w", o.Endpoint, err)
	}
	out := newExporter(client, newSpanMetrics(metrics), log.With(KeyComponent, "traces", KeyEndpoint, o.Endpoint))
	limits := sdk.NewSpanLimits()
	limits.AttributeValueLengthLimit = maxAttribute
	return &Traces{exporter: out, provider: sdk.NewTracerProvider(
		sdk.WithResource(o.resource()),
		sdk.WithSampler(sdk.ParentBased(sdk.TraceIDRatioBased(o.Ratio))),
		sdk.WithRawSpanLimits(limits),
		sdk.WithSpanProcessor(newProcessor(out)),
	)}, nil
}

// resource says in every span who recorded it. What nobody told is left out.
func (o TraceOptions) resource() *resource.Resource {
	attributes := []attribute.KeyValue{semconv.ServiceName(o.Service)}
	for _, a := range []attribute.KeyValue{
		semconv.ServiceVersion(o.Version),
		semconv.ServiceInstanceID(o.Instance),
		semconv.K8SNamespaceName(o.Namespace),
		attribute.String("fleet.revision", o.Revision),
		attribute.String("fleet.app", o.App),
	} {
		if a.Value.AsString() != "" {
			attributes = append(attributes, a)
		}
	}
	return resource.NewWithAttributes(semconv.SchemaURL, attributes...)
}

// Provider is for libraries that make spans of their own.
func (t *Traces) Provider() trace.TracerProvider {
	if t == nil {
		return noop.NewTracerProvider()
	}
	return t.provider
}

// ServerOptions make each call that comes in a span, below its caller's.
func (t *Traces) ServerOptions() []grpc.ServerOption {
	if t == nil {
		return nil
	}
	return []grpc.ServerOption{grpc.StatsHandler(otelgrpc.NewServerHandler(t.options()...))}
}

// DialOptions make each call that goes out a span, and tell the server of it.
func (t *Traces) DialOptions() []grpc.DialOption {
	if t == nil {
		return nil
	}
	return []grpc.DialOption{grpc.WithStatsHandler(otelgrpc.NewClientHandler(t.options()...))}
}

func (t *Traces) options() []otelgrpc.Option {
	return []otelgrpc.Option{
		otelgrpc.WithTracerProvider(t.provider),
		otelgrpc.WithPropagators(propagation.TraceContext{}),
		otelgrpc.WithFilter(notGRPC),
	}
}

// notGRPC leaves out health checks and reflection: they come every second and tell nothing.
func notGRPC(info *stats.RPCTagInfo) bool { return !strings.HasPrefix(info.FullMethodName, "/grpc.") }

// Stop sends what is left until the context ends, and drops the rest.
func (t *Traces) Stop(ctx context.Context) error {
	if t == nil {
		return nil
	}
	defer context.AfterFunc(ctx, t.exporter.abandon)()
	if err := t.provider.Shutdown(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("traces: %w", err)
	}
	return nil
}
