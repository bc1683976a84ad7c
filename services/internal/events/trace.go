package events

import (
	"context"

	"go.opentelemetry.io/otel/propagation"
)

// TraceHeader is the name under which an event's trace travels: https://www.w3.org/TR/trace-context/
const TraceHeader = "traceparent"

// TraceOf names the context's trace and span, "" if there is none.
func TraceOf(ctx context.Context) string {
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier[TraceHeader]
}

// InTrace is ctx within the event's trace, so that what is done because of the event shows there.
func (e Event) InTrace(ctx context.Context) context.Context {
	if e.Trace == "" {
		return ctx
	}
	return propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{TraceHeader: e.Trace})
}
