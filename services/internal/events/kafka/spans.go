package kafka

import (
	"context"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"movieexample.com/fleet/services/internal/events"
)

// spans show an event's way over the broker in the trace of the call that caused it.
type spans struct {
	tracer trace.Tracer
	topic  string
}

func newSpans(traces trace.TracerProvider, topic string) spans {
	return spans{tracer: traces.Tracer("movieexample.com/fleet/services/internal/events/kafka"), topic: topic}
}

// record begins a span for each event that has a trace, and hands on the event as one of this span; end ends them.
func (s spans) record(
	ctx context.Context, list []events.Event, what string, kind trace.SpanKind, within func(i int, e events.Event),
) (end func()) {
	var begun []trace.Span
	for i, e := range list {
		if e.Trace == "" {
			continue
		}
		ctx, span := s.tracer.Start(e.InTrace(ctx), what+" "+s.topic, trace.WithSpanKind(kind),
			trace.WithAttributes(semconv.MessagingSystemKafka, semconv.MessagingDestinationName(s.topic), semconv.MessagingMessageID(e.ID)))
		e.Trace = events.TraceOf(ctx)
		within(i, e)
		begun = append(begun, span)
	}
	return func() {
		for _, span := range begun {
			span.End()
		}
	}
}
