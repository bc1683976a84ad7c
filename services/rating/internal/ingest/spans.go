package ingest

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"movieexample.com/fleet/services/internal/events"
)

// maxLinks bounds how many producers' traces a batch's span points at.
const maxLinks = 32

// begun is a span of the batch, linked to the traces in which its events were sent. What the database does shows below it.
func (p *partition) begun(ctx context.Context, items []item) (context.Context, func()) {
	ctx, span := p.tracer.Start(ctx, "process "+p.Topic, trace.WithSpanKind(trace.SpanKindConsumer))
	if !span.IsRecording() {
		return ctx, func() {}
	}
	span.SetAttributes(semconv.MessagingSystemKafka, semconv.MessagingDestinationName(p.Topic), semconv.MessagingBatchMessageCount(len(items)),
		attribute.Int("messaging.kafka.partition", int(p.source.Partition)))
	links := 0
	for n := range items {
		if links == maxLinks {
			break
		}
		if from := sentIn(&items[n]); from.IsValid() {
			span.AddLink(trace.Link{SpanContext: from})
			links++
		}
	}
	return ctx, func() { span.End() }
}

// sentIn is the span in which the event was sent, if its producer told.
func sentIn(i *item) trace.SpanContext {
	for _, h := range i.record.Headers {
		if h.Key == events.TraceHeader {
			carrier := propagation.MapCarrier{events.TraceHeader: string(h.Value)}
			return trace.SpanContextFromContext(propagation.TraceContext{}.Extract(context.Background(), carrier))
		}
	}
	return trace.SpanContext{}
}
