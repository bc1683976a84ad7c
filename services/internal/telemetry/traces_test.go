package telemetry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.opentelemetry.io/otel/trace"

	"movieexample.com/fleet/services/internal/telemetry"
	"movieexample.com/fleet/test/parts"
)

const spanMetric = "trace_spans_total"

type tracing struct {
	*telemetry.Traces
	registry *prometheus.Registry
	log      *bytes.Buffer
}

// begin exports to the endpoint; stop it before the log is read.
func begin(t *testing.T, endpoint string, ratio float64) *tracing {
	t.Helper()
	x := &tracing{registry: prometheus.NewRegistry(), log: &bytes.Buffer{}}
	log, err := telemetry.NewLogger(x.log, telemetry.LogOptions{Level: "info", Format: "json"})
	if err != nil {
		t.Fatal(err)
	}
	x.Traces, err = telemetry.NewTraces(t.Context(), telemetry.TraceOptions{
		Endpoint: endpoint, Ratio: ratio, Service: "rating", Version: "v1", Revision: "abc", App: "movies", Namespace: "shop", Instance: "rating-0",
	}, x.registry, log)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func (x *tracing) stop(t *testing.T, limit time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	if err := x.Stop(ctx); err != nil {
		t.Errorf("Stop() = %v, want nil", err)
	}
}

// spans records n spans, each a trace of its own.
func (x *tracing) spans(n int) {
	for range n {
		_, span := x.Provider().Tracer("test").Start(context.Background(), "step")
		span.End()
	}
}

func (x *tracing) wantCounts(t *testing.T, want string) {
	t.Helper()
	help := "# HELP " + spanMetric + " Recorded spans by what became of them: exported, failed (the collector did not take them) or dropped (too many waited).\n" +
		"# TYPE " + spanMetric + " counter\n"
	if err := testutil.GatherAndCompare(x.registry, strings.NewReader(help+want), spanMetric); err != nil {
		t.Error(err)
	}
}

func TestTracesReachTheCollector(t *testing.T) {
	collector := parts.StartCollector(t)
	x := begin(t, collector.Endpoint(), 1)
	x.spans(700)
	x.stop(t, 10*time.Second) // sends what is left
	got := collector.Spans()
	if len(got) != 700 || got[0].Name != "step" {
		t.Fatalf("the collector got %d spans, want 700 named step", len(got))
	}
	want := map[string]string{
		"service.name": "rating", "service.version": "v1", "service.instance.id": "rating-0",
		"k8s.namespace.name": "shop", "fleet.revision": "abc", "fleet.app": "movies",
	}
	if diff := cmp.Diff(want, got[0].Resource); diff != "" {
		t.Errorf("resource (-want +got):\n%s", diff)
	}
	x.wantCounts(t, `trace_spans_total{outcome="dropped"} 0
trace_spans_total{outcome="exported"} 700
trace_spans_total{outcome="failed"} 0
`)
}

func TestRatioOfTraces(t *testing.T) {
	collector := parts.StartCollector(t)
	for ratio, bounds := range map[float64][2]int{0: {0, 0}, 0.1: {200, 400}} { // 0.1 of 3000; 6 standard deviations are 99
		before := len(collector.Spans())
		x := begin(t, collector.Endpoint(), ratio)
		x.spans(3000)
		x.stop(t, 10*time.Second)
		if got := len(collector.Spans()) - before; got < bounds[0] || got > bounds[1] {
			t.Errorf("at ratio %v the collector got %d of 3000 traces, want %v", ratio, got, bounds)
		}
	}
}

func TestCallersDecideForTheirTraces(t *testing.T) {
	collector := parts.StartCollector(t)
	x := begin(t, collector.Endpoint(), 0)
	for _, flags := range []trace.TraceFlags{0, trace.FlagsSampled} {
		caller := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: flags, Remote: true})
		_, span := x.Provider().Tracer("test").Start(trace.ContextWithRemoteSpanContext(context.Background(), caller), "below")
		span.End()
	}
	x.stop(t, 10*time.Second)
	got := collector.Spans()
	if len(got) != 1 || got[0].Parent != "0200000000000000" {
		t.Errorf("the collector got %+v, want the one span whose caller records its trace", got)
	}
}

func TestCollectorThatIsAway(t *testing.T) {
	x := begin(t, "http://127.0.0.1:1", 1)
	x.spans(6000)                  // never waits; see the bound below
	x.stop(t, 50*time.Millisecond) // and neither does the end
	total := testutil.CollectAndCount(x.registry, spanMetric)
	if total != 3 {
		t.Fatalf("%d series of %s, want 3", total, spanMetric)
	}
	x.wantCounts(t, `trace_spans_total{outcome="dropped"} 1904
trace_spans_total{outcome="exported"} 0
trace_spans_total{outcome="failed"} 4096
`)
	if lines := strings.Count(x.log.String(), "\n"); lines != 1 || !strings.Contains(x.log.String(), "Traces cannot be exported") {
		t.Errorf("log = %s, want one line that says that traces cannot be exported", x.log)
	}
}

func TestCollectorThatComesBack(t *testing.T) {
	collector := parts.StartCollector(t)
	x := begin(t, collector.Endpoint(), 1)
	collector.Stop(t)
	x.spans(1)
	deadline := time.Now().Add(time.Minute)
	for failed := 0.0; failed == 0 && time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		failed = x.count(t, "failed")
	}
	collector.Start(t)
	collector.Wait(t, "a span after its restart", func(spans []parts.Span) bool {
		x.spans(1) // those whose time is up before the exporter connects anew are lost, as they may be
		return len(spans) > 0
	})
	x.stop(t, 10*time.Second)
	if !strings.Contains(x.log.String(), "Traces are exported again") {
		t.Errorf("log = %s, want that traces are exported again", x.log)
	}
}

func (x *tracing) count(t *testing.T, outcome string) float64 {
	t.Helper()
	families, err := x.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if m.GetLabel()[0].GetValue() == outcome {
				return m.GetCounter().GetValue()
			}
		}
	}
	t.Fatalf("no series for %s", outcome)
	return 0
}

func TestNoEndpointIsOff(t *testing.T) {
	x := begin(t, "", 1)
	_, span := x.Provider().Tracer("test").Start(t.Context(), "step")
	if span.IsRecording() || x.ServerOptions() != nil || x.DialOptions() != nil {
		t.Error("traces without an endpoint do something, want nothing at all")
	}
	x.stop(t, time.Second)
}

func TestRecordsNameTheirTrace(t *testing.T) {
	collector := parts.StartCollector(t)
	x := begin(t, collector.Endpoint(), 1)
	var out bytes.Buffer
	log, err := telemetry.NewLogger(&out, telemetry.LogOptions{Level: "info", Format: "json"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, span := x.Provider().Tracer("test").Start(t.Context(), "step")
	log = log.With(telemetry.KeyService, "rating")
	log.InfoContext(ctx, "Detail")
	log.ErrorContext(ctx, "A call failed", telemetry.KeyError, errors.New("disk full"))
	log.Info("Elsewhere")
	span.End()
	x.stop(t, 10*time.Second)

	records := decode(t, &out)
	for i, want := range []map[string]any{
		{"level": "INFO", "msg": "Detail", "service": "rating", "trace_id": span.SpanContext().TraceID().String(), "span_id": span.SpanContext().SpanID().String()},
		{"level": "ERROR", "msg": "A call failed", "service": "rating", "error": "disk full", "trace_id": span.SpanContext().TraceID().String(), "span_id": span.SpanContext().SpanID().String()},
		{"level": "INFO", "msg": "Elsewhere", "service": "rating"},
	} {
		if diff := cmp.Diff(want, records[i]); diff != "" {
			t.Errorf("record %d (-want +got):\n%s", i, diff)
		}
	}
	want := []parts.Event{{Name: "A call failed", Attributes: map[string]string{"severity": "ERROR", "error": "disk full"}}}
	if diff := cmp.Diff(want, collector.Spans()[0].Events); diff != "" {
		t.Errorf("events of the span (-want +got):\n%s", diff)
	}
}

// decode reads JSON lines, without their times.
func decode(t *testing.T, r io.Reader) []map[string]any {
	t.Helper()
	var records []map[string]any
	for d := json.NewDecoder(r); d.More(); {
		var record map[string]any
		if err := d.Decode(&record); err != nil {
			t.Fatal(err)
		}
		delete(record, slog.TimeKey)
		records = append(records, record)
	}
	return records
}

func TestLevelThatChanges(t *testing.T) {
	var out bytes.Buffer
	level := &slog.LevelVar{}
	log, err := telemetry.NewLogger(&out, telemetry.LogOptions{Level: "warn", Format: "json", Live: level})
	if err != nil {
		t.Fatal(err)
	}
	below := log.With(telemetry.KeyComponent, "below")
	below.Info("Not shown")
	level.Set(slog.LevelInfo)
	below.Info("Shown")
	if got := decode(t, &out); len(got) != 1 || got[0]["msg"] != "Shown" {
		t.Errorf("log = %v, want only what came after the level was lowered", got)
	}
}
