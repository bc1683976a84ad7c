package observed_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"movieexample.com/fleet/services/metadata/internal/model"
	"movieexample.com/fleet/services/metadata/internal/repository/memory"
	"movieexample.com/fleet/services/metadata/internal/repository/observed"
	"movieexample.com/fleet/services/metadata/internal/repository/repositorytest"
)

func TestContract(t *testing.T) {
	provider := sdk.NewTracerProvider()
	repositorytest.Run(t, func(*testing.T) repositorytest.Repository { return observed.New(memory.New(), provider) })
}

func TestEveryCallIsASpan(t *testing.T) {
	recorder := tracetest.NewSpanRecorder()
	provider := sdk.NewTracerProvider(sdk.WithSpanProcessor(recorder))
	ctx, _ := provider.Tracer("test").Start(t.Context(), "request")
	r := observed.New(memory.New(), provider)
	for _, call := range []func(){
		func() { _, _ = r.Get(ctx, "1") },
		func() { _, _ = r.GetMany(ctx, nil) },
		func() { _, _ = r.List(ctx, model.Query{}) },
		func() { _, _ = r.Put(ctx, model.Metadata{}) },
	} {
		call()
	}
	var got []string
	for _, span := range recorder.Ended() {
		got = append(got, span.Name())
	}
	if diff := cmp.Diff([]string{"Repository/Get", "Repository/GetMany", "Repository/List", "Repository/Put"}, got); diff != "" {
		t.Errorf("spans (-want +got):\n%s", diff)
	}
}
