package storage

import (
	"context"
	"errors"
	"time"

	"movieexample.com/fleet/services/internal/breaker"
	"movieexample.com/fleet/services/internal/problem"
)

// patience is how long a call must have waited for the database before its caller's impatience says something about the
// database.
const patience = 250 * time.Millisecond

// Guard keeps calls from a database that answers nothing but failures: they fail at once.
type Guard struct{ breaker *breaker.Breaker }

// NewGuard takes the breaker of the database.
func NewGuard(b *breaker.Breaker) *Guard { return &Guard{breaker: b} }

// Do runs a call of the database, or fails with a problem of kind Unavailable.
func (g *Guard) Do(ctx context.Context, call func(context.Context) error) error {
	pass, err := g.breaker.Allow()
	if err != nil {
		return problem.NewUnavailable(err, "the database cannot be reached")
	}
	how := breaker.Unknown
	defer func() { pass.Done("", how) }() // after a panic too
	began := time.Now()
	err = call(ctx)
	how = outcome(ctx, err, time.Since(began))
	return err
}

func outcome(ctx context.Context, err error, took time.Duration) breaker.Outcome {
	switch {
	case err == nil:
		return breaker.Good
	case errors.Is(ctx.Err(), context.Canceled), ctx.Err() != nil && took < patience:
		return breaker.Unknown
	case ctx.Err() != nil, Away(err):
		return breaker.Failed
	default:
		return breaker.Good // it answered
	}
}
