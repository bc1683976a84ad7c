package traced_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"movieexample.com/fleet/services/rating/internal/model"
	"movieexample.com/fleet/services/rating/internal/repository/memory"
	"movieexample.com/fleet/services/rating/internal/repository/repositorytest"
	"movieexample.com/fleet/services/rating/internal/repository/traced"
)

func TestContract(t *testing.T) {
	provider := sdk.NewTracerProvider()
	repositorytest.Run(t, func(*testing.T) repositorytest.Repository { return traced.New(memory.New(), provider) })
}

func TestEveryCallIsASpan(t *testing.T) {
	recorder := tracetest.NewSpanRecorder()
	provider := sdk.NewTracerProvider(sdk.WithSpanProcessor(recorder))
	ctx, _ := provider.Tracer("test").Start(t.Context(), "request")
	r := traced.New(memory.New(), provider)
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
