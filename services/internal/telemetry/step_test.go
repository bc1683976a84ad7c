package telemetry_test

import (
	"context"
	"errors"
	"testing"

	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"movieexample.com/fleet/services/internal/problem"
	"movieexample.com/fleet/services/internal/telemetry"
)

func TestStep(t *testing.T) {
	for name, tc := range map[string]struct {
		err  error
		want codes.Code
		text string
	}{
		"done":        {nil, codes.Unset, ""},
		"not found":   {problem.NewNotFound("no movie %q", "tt1"), codes.Unset, ""},
		"unavailable": {problem.NewUnavailable(errors.New("refused"), "the database cannot be reached"), codes.Error, "unavailable"},
		"internal":    {errors.New("Duplicate entry 'ann' for key 'users'"), codes.Error, "internal"},
	} {
		t.Run(name, func(t *testing.T) {
			recorder := tracetest.NewSpanRecorder()
			tracer := sdk.NewTracerProvider(sdk.WithSpanProcessor(recorder)).Tracer("test")
			ctx, parent := tracer.Start(t.Context(), "request")
			got, err := telemetry.Step(ctx, tracer, "Repository/Get", func(ctx context.Context) (int, error) {
				if inside := trace.SpanContextFromContext(ctx); inside.SpanID() == parent.SpanContext().SpanID() {
					t.Error("what a step does is in the span of the request, want it in its own")
				}
				return 7, tc.err
			})
			if got != 7 || !errors.Is(err, tc.err) {
				t.Errorf("Step() = %d, %v, want what was done: 7, %v", got, err, tc.err)
			}
			span := recorder.Ended()[0]
			if s := span.Status(); span.Name() != "Repository/Get" || s.Code != tc.want || s.Description != tc.text {
				t.Errorf("span %s has status %v %q, want Repository/Get with %v %q", span.Name(), s.Code, s.Description, tc.want, tc.text)
			}
		})
	}
}

func TestStepOutsideOfATrace(t *testing.T) {
	recorder := tracetest.NewSpanRecorder()
	tracer := sdk.NewTracerProvider(sdk.WithSpanProcessor(recorder)).Tracer("test")
	if got, err := telemetry.Step(t.Context(), tracer, "x", func(context.Context) (int, error) { return 7, nil }); got != 7 || err != nil {
		t.Errorf("Step() = %d, %v, want 7, nil", got, err)
	}
	if n := len(recorder.Started()); n != 0 {
		t.Errorf("%d spans outside of a trace, want none: a check once a second would fill the collector", n)
	}
}
