package telemetry

import (
	"context"
	"log/slog"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

// traced ties log records to the span that the context is in: the record names the trace, and a warning or an error shows
// in the span too.
type traced struct{ slog.Handler }

// Handle never changes the record it was given; others may hold it.
func (h traced) Handle(ctx context.Context, r slog.Record) error {
	span := trace.SpanFromContext(ctx)
	if c := span.SpanContext(); c.IsValid() {
		if r.Level >= slog.LevelWarn && span.IsRecording() {
			span.AddEvent(r.Message, trace.WithTimestamp(r.Time), trace.WithAttributes(attributes(r)...))
		}
		r = r.Clone()
		r.AddAttrs(slog.String(KeyTraceID, c.TraceID().String()), slog.String(KeySpanID, c.SpanID().String()))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs keeps the tie.
func (h traced) WithAttrs(attrs []slog.Attr) slog.Handler { return traced{h.Handler.WithAttrs(attrs)} }

// WithGroup keeps the tie.
func (h traced) WithGroup(name string) slog.Handler { return traced{h.Handler.WithGroup(name)} }

// attributes are the record's own; those of its logger say where it comes from, which the span tells already.
func attributes(r slog.Record) []attribute.KeyValue {
	list := make([]attribute.KeyValue, 0, r.NumAttrs()+1)
	list = append(list, attribute.String("severity", r.Level.String()))
	r.Attrs(func(a slog.Attr) bool {
		list = append(list, attribute.String(a.Key, a.Value.Resolve().String()))
		return true
	})
	return list
}
