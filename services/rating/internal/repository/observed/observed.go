package observed

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"movieexample.com/fleet/services/internal/telemetry"
	"movieexample.com/fleet/services/rating/internal/model"
)

// Repository is what is wrapped, and what the result is again.
type Repository interface {
	Write(ctx context.Context, w model.Write, now time.Time) (model.Result, error)
	Aggregate(ctx context.Context, record model.Record) (model.Aggregate, error)
	Aggregates(ctx context.Context, recordType string, ids []string) (map[string]model.Aggregate, error)
}

type repository struct {
	next    Repository
	tracer  trace.Tracer
	written *prometheus.CounterVec
}

// New makes each call of next a span of the provider's, and counts writes. It registers ratings_written_total.
func New(next Repository, provider trace.TracerProvider, metrics prometheus.Registerer) Repository {
	return repository{next: next, tracer: provider.Tracer("movieexample.com/fleet/services/rating"), written: newWritten(metrics)}
}

func (r repository) Write(ctx context.Context, w model.Write, now time.Time) (model.Result, error) {
	result, err := telemetry.Step(ctx, r.tracer, "Repository/Write", func(ctx context.Context) (model.Result, error) {
		return r.next.Write(ctx, w, now)
	})
	r.written.WithLabelValues(operation(w), outcome(result, err)).Inc()
	return result, err
}

func (r repository) Aggregate(ctx context.Context, record model.Record) (model.Aggregate, error) {
	return telemetry.Step(ctx, r.tracer, "Repository/Aggregate", func(ctx context.Context) (model.Aggregate, error) {
		return r.next.Aggregate(ctx, record)
	})
}

func (r repository) Aggregates(ctx context.Context, recordType string, ids []string) (map[string]model.Aggregate, error) {
	return telemetry.Step(ctx, r.tracer, "Repository/Aggregates", func(ctx context.Context) (map[string]model.Aggregate, error) {
		return r.next.Aggregates(ctx, recordType, ids)
	})
}
