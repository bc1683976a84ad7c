package telemetry

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	sdk "go.opentelemetry.io/otel/sdk/trace"
)

const (
	maxWaiting    = 4096 // spans in memory, some kilobytes each
	maxBatch      = 512
	batchEvery    = time.Second
	exportTimeout = 5 * time.Second // with the tries again below
)

// dialCollector connects in the background, and tries a batch again while a collector restarts.
func dialCollector(ctx context.Context, endpoint string) (sdk.SpanExporter, error) {
	return otlptracegrpc.New(ctx,
		otlptracegrpc.WithEndpointURL(endpoint),
		otlptracegrpc.WithTimeout(exportTimeout),
		otlptracegrpc.WithRetry(otlptracegrpc.RetryConfig{
			Enabled: true, InitialInterval: 200 * time.Millisecond, MaxInterval: time.Second, MaxElapsedTime: exportTimeout,
		}))
}

// spanMetrics count what became of spans.
type spanMetrics struct {
	exported prometheus.Counter
	failed   prometheus.Counter
	dropped  prometheus.Counter
}

func newSpanMetrics(metrics prometheus.Registerer) spanMetrics {
	spans := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "trace_spans_total",
		Help: "Recorded spans by what became of them: exported, failed (the collector did not take them) or dropped (too many waited).",
	}, []string{"outcome"})
	metrics.MustRegister(spans)
	return spanMetrics{
		exported: spans.WithLabelValues("exported"),
		failed:   spans.WithLabelValues("failed"),
		dropped:  spans.WithLabelValues("dropped"),
	}
}

// exporter counts what the collector took, and logs when it stops or begins to take spans. Its errors end here: the SDK
// would print each of them.
type exporter struct {
	next    sdk.SpanExporter
	metrics spanMetrics
	log     *slog.Logger
	waiting atomic.Int64 // spans that the processor holds
	gone    context.Context
	abandon context.CancelFunc // ends an export under way, and all that follow

	mu      sync.Mutex
	failing bool
}

func newExporter(next sdk.SpanExporter, metrics spanMetrics, log *slog.Logger) *exporter {
	e := &exporter{next: next, metrics: metrics, log: log}
	e.gone, e.abandon = context.WithCancel(context.Background())
	return e
}

// ExportSpans never fails; see above.
func (e *exporter) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	defer e.waiting.Add(-int64(len(spans)))
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(e.gone, cancel)() //nolint:contextcheck // the end of the service ends it too
	err := e.next.ExportSpans(ctx, spans)
	e.note(ctx, err)
	if err != nil {
		e.metrics.failed.Add(float64(len(spans)))
		return nil
	}
	e.metrics.exported.Add(float64(len(spans)))
	return nil
}

// note logs a turn, however long it lasts.
func (e *exporter) note(ctx context.Context, err error) {
	e.mu.Lock()
	turned := e.failing != (err != nil)
	e.failing = err != nil
	e.mu.Unlock()
	switch {
	case !turned:
	case err != nil:
		e.log.WarnContext(ctx, "Traces cannot be exported; spans are dropped until they can", KeyError, err)
	default:
		e.log.InfoContext(ctx, "Traces are exported again")
	}
}

// Shutdown closes the connection.
func (e *exporter) Shutdown(ctx context.Context) error {
	e.abandon()
	return e.next.Shutdown(ctx)
}

// processor bounds the spans that wait, counting those that find no room. The SDK's own bound counts nothing.
type processor struct {
	sdk.SpanProcessor

	out *exporter
}

func newProcessor(out *exporter) *processor {
	return &processor{out: out, SpanProcessor: sdk.NewBatchSpanProcessor(out,
		sdk.WithMaxQueueSize(maxWaiting), sdk.WithMaxExportBatchSize(maxBatch),
		sdk.WithBatchTimeout(batchEvery), sdk.WithExportTimeout(exportTimeout))}
}

// OnEnd takes a finished span, without waiting.
func (p *processor) OnEnd(s sdk.ReadOnlySpan) {
	if !s.SpanContext().IsSampled() {
		return
	}
	if p.out.waiting.Add(1) > maxWaiting {
		p.out.waiting.Add(-1)
		p.out.metrics.dropped.Inc()
		return
	}
	p.SpanProcessor.OnEnd(s)
}
