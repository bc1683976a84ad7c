package telemetry

import (
	"context"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"movieexample.com/fleet/services/internal/problem"
)

// Step runs do as a span of its own where the trace is recorded, and costs nothing where it is not. A failure shows as its
// kind alone: texts of errors may hold what users sent. What callers asked for in vain is no failure.
func Step[T any](ctx context.Context, tracer trace.Tracer, name string, do func(context.Context) (T, error)) (T, error) {
	if !trace.SpanFromContext(ctx).IsRecording() {
		return do(ctx)
	}
	ctx, span := tracer.Start(ctx, name)
	defer span.End()
	value, err := do(ctx)
	if err != nil {
		fail(span, problem.KindOf(err))
	}
	return value, err
}

func fail(span trace.Span, kind problem.Kind) {
	switch kind {
	case problem.NotFound, problem.Invalid:
	case problem.Unavailable:
		span.SetStatus(codes.Error, "unavailable")
	default:
		span.SetStatus(codes.Error, "internal")
	}
}
