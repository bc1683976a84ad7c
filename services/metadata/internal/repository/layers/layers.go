package layers

import (
	"context"

	"movieexample.com/fleet/services/metadata/internal/model"
)

// Repository is what each layer wraps and is.
type Repository interface {
	Get(ctx context.Context, id string) (model.Metadata, error)
	GetMany(ctx context.Context, ids []string) (map[string]model.Metadata, error)
	List(ctx context.Context, q model.Query) ([]model.Metadata, error)
	Put(ctx context.Context, m model.Metadata) (model.Metadata, error)
}
