package gateway

import (
	"context"

	"movieexample.com/fleet/services/internal/lastknown"
	"movieexample.com/fleet/services/internal/problem"
)

// Getter gives the value of a movie; a problem of kind NotFound says that there is none. Of many, it gives those that
// there are.
type Getter[T any] interface {
	Get(ctx context.Context, id string) (T, error)
	GetMany(ctx context.Context, ids []string) (map[string]T, error)
}

// Remembered is a Getter that answers with the last known value when its service fails.
type Remembered[T any] struct {
	next Getter[T]
	last *lastknown.Fallback[string, T]
}

// Remember wraps next.
func Remember[T any](next Getter[T], markStale func(T) T, o lastknown.Options) (*Remembered[T], error) {
	last, err := lastknown.New[string](o, markStale)
	if err != nil {
		return nil, err
	}
	return &Remembered[T]{next: next, last: last}, nil
}

// Get is what the service says, or the last known value, marked stale.
func (r *Remembered[T]) Get(ctx context.Context, id string) (T, error) {
	return r.last.One(ctx, id, func(ctx context.Context) (T, error) { return r.next.Get(ctx, id) })
}

// GetMany is what the service says, or the last known values of all of the movies, marked stale.
func (r *Remembered[T]) GetMany(ctx context.Context, ids []string) (map[string]T, error) {
	return r.last.Many(ctx, ids, func(ctx context.Context) (map[string]T, error) { return r.next.GetMany(ctx, ids) })
}

// GetSome is what the service says, or the last known values of those of the movies that have one, marked stale.
func (r *Remembered[T]) GetSome(ctx context.Context, ids []string) map[string]T {
	return r.last.Some(ctx, ids, func(ctx context.Context) (map[string]T, error) { return r.next.GetMany(ctx, ids) })
}

// Refresh asks for the value of a movie anew if one is known; a service that fails leaves the one that is known.
func (r *Remembered[T]) Refresh(ctx context.Context, id string) {
	if !r.last.Knows(id) {
		return
	}
	value, err := r.next.Get(ctx, id)
	switch {
	case err == nil:
		r.last.Remember(id, value)
	case problem.KindOf(err) == problem.NotFound:
		r.last.Forget(id)
	}
}
