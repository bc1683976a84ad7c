package observed

import (
	"context"

	"go.opentelemetry.io/otel/trace"

	"movieexample.com/fleet/services/internal/telemetry"
	"movieexample.com/fleet/services/metadata/internal/model"
)

// Repository is what is wrapped, and what the result is again.
type Repository interface {
	Get(ctx context.Context, id string) (model.Metadata, error)
	GetMany(ctx context.Context, ids []string) (map[string]model.Metadata, error)
	List(ctx context.Context, q model.Query) ([]model.Metadata, error)
	Put(ctx context.Context, m model.Metadata) (model.Metadata, error)
}

type repository struct {
	next   Repository
	tracer trace.Tracer
}

// New makes each call of next a span of the provider's.
func New(next Repository, provider trace.TracerProvider) Repository {
	return repository{next: next, tracer: provider.Tracer("movieexample.com/fleet/services/metadata")}
}

func (r repository) Get(ctx context.Context, id string) (model.Metadata, error) {
	return telemetry.Step(ctx, r.tracer, "Repository/Get", func(ctx context.Context) (model.Metadata, error) {
		return r.next.Get(ctx, id)
	})
}

func (r repository) GetMany(ctx context.Context, ids []string) (map[string]model.Metadata, error) {
	return telemetry.Step(ctx, r.tracer, "Repository/GetMany", func(ctx context.Context) (map[string]model.Metadata, error) {
		return r.next.GetMany(ctx, ids)
	})
}

func (r repository) List(ctx context.Context, q model.Query) ([]model.Metadata, error) {
	return telemetry.Step(ctx, r.tracer, "Repository/List", func(ctx context.Context) ([]model.Metadata, error) {
		return r.next.List(ctx, q)
	})
}

func (r repository) Put(ctx context.Context, m model.Metadata) (model.Metadata, error) {
	return telemetry.Step(ctx, r.tracer, "Repository/Put", func(ctx context.Context) (model.Metadata, error) {
		return r.next.Put(ctx, m)
	})
}
