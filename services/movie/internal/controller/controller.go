package controller

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"movieexample.com/fleet/services/movie/internal/model"
)

// Metadata gives a movie's metadata; NotFound if there is no such movie.
type Metadata interface {
	Get(ctx context.Context, id string) (model.Metadata, error)
	// GetMany is the metadata of those of the movies that there are.
	GetMany(ctx context.Context, ids []string) (map[string]model.Metadata, error)
}

// Rating gives a movie's rating; NotFound if nobody has rated it.
type Rating interface {
	Get(ctx context.Context, id string) (model.Rating, error)
	// GetSome are those of the movies' ratings that can be had.
	GetSome(ctx context.Context, ids []string) map[string]model.Rating
}

// Controller is safe for concurrent use.
type Controller struct {
	metadata        Metadata
	rating          Rating
	recommendations *Recommendations
}

// New takes where metadata and ratings come from, and recommendations.
func New(metadata Metadata, rating Rating, recommendations *Recommendations) *Controller {
	return &Controller{metadata: metadata, rating: rating, recommendations: recommendations}
}

// Details asks for metadata and rating at the same time. Metadata decides: without it there are no details. A rating and
// recommendations that cannot be had, for whatever reason, are left out.
func (c *Controller) Details(ctx context.Context, id string) (model.Details, error) {
	ctx, cancel := leaveTimeToAnswer(ctx)
	defer cancel()

	rating := aside(func() *model.Rating { return c.ratingOf(ctx, id) })
	metadata, err := c.metadata.Get(ctx, id)
	if err != nil {
		cancel() // the rating is of no use any more
		rating()
		return model.Details{}, err
	}
	recommendations := c.recommendations.of(ctx, metadata)
	return model.Details{Metadata: metadata, Rating: rating(), Recommendations: recommendations}, nil
}

// aside runs ask beside the caller, who gets the outcome by calling what it returns. A panic is the caller's: in a
// goroutine of its own it would end the process, and with it every other call.
func aside[T any](ask func() T) func() T {
	type outcome struct {
		value    T
		panicked any
	}
	done := make(chan outcome, 1)
	go func() {
		var o outcome
		defer func() {
			if p := recover(); p != nil {
				o.panicked = fmt.Sprintf("%v\n%s", p, debug.Stack())
			}
			done <- o
		}()
		o.value = ask()
	}()
	return func() T {
		o := <-done
		if o.panicked != nil {
			panic(o.panicked)
		}
		return o.value
	}
}

// ratingOf is nil without a rating. Who failed to get one has counted and logged it.
func (c *Controller) ratingOf(ctx context.Context, id string) *model.Rating {
	rating, err := c.rating.Get(ctx, id)
	if err != nil {
		return nil
	}
	return &rating
}

// leaveTimeToAnswer ends the calls at nine tenths of the caller's time: a dependency that hangs must not use up the time
// in which the caller can still be given what is known.
func leaveTimeToAnswer(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, deadline.Add(-time.Until(deadline)/10))
}
