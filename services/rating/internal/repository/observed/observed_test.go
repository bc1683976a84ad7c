package observed_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace/noop"

	"movieexample.com/fleet/services/rating/internal/model"
	"movieexample.com/fleet/services/rating/internal/repository/memory"
	"movieexample.com/fleet/services/rating/internal/repository/observed"
	"movieexample.com/fleet/services/rating/internal/repository/repositorytest"
)

func TestContract(t *testing.T) {
	provider := sdk.NewTracerProvider()
	repositorytest.Run(t, func(*testing.T) repositorytest.Repository {
		return observed.New(memory.New(), provider, prometheus.NewRegistry())
	})
}

func TestEveryCallIsASpan(t *testing.T) {
	recorder := tracetest.NewSpanRecorder()
	provider := sdk.NewTracerProvider(sdk.WithSpanProcessor(recorder))
	ctx, _ := provider.Tracer("test").Start(t.Context(), "request")
	r := observed.New(memory.New(), provider, prometheus.NewRegistry())
	for _, call := range []func(){
		func() { _, _ = r.Write(ctx, model.Write{}, time.Now()) },
		func() { _, _ = r.Aggregate(ctx, model.Record{}) },
		func() { _, _ = r.Aggregates(ctx, "movie", nil) },
	} {
		call()
	}
	var got []string
	for _, span := range recorder.Ended() {
		got = append(got, span.Name())
	}
	if diff := cmp.Diff([]string{"Repository/Write", "Repository/Aggregate", "Repository/Aggregates"}, got); diff != "" {
		t.Errorf("spans (-want +got):\n%s", diff)
	}
}

// away fails each write.
type away struct{ observed.Repository }

func (away) Write(context.Context, model.Write, time.Time) (model.Result, error) {
	return model.Result{}, errors.New("refused")
}

func TestWritesAreCounted(t *testing.T) {
	registry, now := prometheus.NewRegistry(), time.Unix(100, 0)
	r := observed.New(memory.New(), noop.NewTracerProvider(), registry)
	w := model.Write{Key: model.Key{UserID: "1"}, Value: 4, OccurredAt: now}
	older, deleted := w, w
	older.OccurredAt, deleted.Deleted = now.Add(-time.Second), true
	for _, w := range []model.Write{w, w, older, deleted} {
		if _, err := r.Write(t.Context(), w, now); err != nil {
			t.Fatal(err)
		}
	}
	wantWritten(t, registry, `
ratings_written_total{operation="delete",outcome="applied"} 1
ratings_written_total{operation="delete",outcome="duplicate"} 0
ratings_written_total{operation="delete",outcome="failed"} 0
ratings_written_total{operation="delete",outcome="stale"} 0
ratings_written_total{operation="put",outcome="applied"} 1
ratings_written_total{operation="put",outcome="duplicate"} 1
ratings_written_total{operation="put",outcome="failed"} 0
ratings_written_total{operation="put",outcome="stale"} 1
`)
}

func TestFailedWritesAreCounted(t *testing.T) {
	registry := prometheus.NewRegistry()
	r := observed.New(away{}, noop.NewTracerProvider(), registry)
	if _, err := r.Write(t.Context(), model.Write{}, time.Unix(0, 0)); err == nil {
		t.Error("Write() = nil, want the repository's error")
	}
	wantWritten(t, registry, `
ratings_written_total{operation="delete",outcome="applied"} 0
ratings_written_total{operation="delete",outcome="duplicate"} 0
ratings_written_total{operation="delete",outcome="failed"} 0
ratings_written_total{operation="delete",outcome="stale"} 0
ratings_written_total{operation="put",outcome="applied"} 0
ratings_written_total{operation="put",outcome="duplicate"} 0
ratings_written_total{operation="put",outcome="failed"} 1
ratings_written_total{operation="put",outcome="stale"} 0
`)
}

func wantWritten(t *testing.T, registry *prometheus.Registry, want string) {
	t.Helper()
	const head = `# HELP ratings_written_total Writes of ratings by operation (put, delete) and outcome: applied, stale or duplicate (nothing changed), failed.
# TYPE ratings_written_total counter`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(head+want), "ratings_written_total"); err != nil {
		t.Error(err)
	}
}
