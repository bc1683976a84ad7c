package controller_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"movieexample.com/fleet/services/internal/problem"
	"movieexample.com/fleet/services/movie/internal/controller"
	"movieexample.com/fleet/services/movie/internal/model"
)

// source answers after a time, or when its caller gives up.
type source[T any] struct {
	value T
	err   error
	after time.Duration
}

func (s source[T]) Get(ctx context.Context, _ string) (T, error) {
	select {
	case <-time.After(s.after):
		return s.value, s.err
	case <-ctx.Done():
		var none T
		return none, problem.NewUnavailable(ctx.Err(), "cannot be had now")
	}
}

// GetMany has the one movie, "1".
func (s source[T]) GetMany(ctx context.Context, _ []string) (map[string]T, error) {
	value, err := s.Get(ctx, "1")
	if err != nil {
		return nil, err
	}
	return map[string]T{"1": value}, nil
}

func (s source[T]) GetSome(ctx context.Context, ids []string) map[string]T {
	values, err := s.GetMany(ctx, ids)
	if err != nil {
		return nil
	}
	return values
}

type (
	metadata = source[model.Metadata]
	rating   = source[model.Rating]
)

var (
	movie = model.Metadata{ID: "1", Title: "T"}
	four  = model.Rating{Value: 4, Count: 2}
	away  = problem.NewUnavailable(errors.New("refused"), "cannot be had now")
)

func TestDetails(t *testing.T) {
	for name, c := range map[string]struct {
		metadata metadata
		rating   rating
		want     model.Details
		kind     problem.Kind
		took     time.Duration
	}{
		"both, at the same time": {metadata{movie, nil, time.Second}, rating{four, nil, time.Second}, model.Details{Metadata: movie, Rating: &four}, 0, time.Second},
		"nobody rated":           {metadata{value: movie}, rating{err: model.NoRating("1")}, model.Details{Metadata: movie}, 0, 0},
		"rating fails":           {metadata{value: movie}, rating{err: away}, model.Details{Metadata: movie}, 0, 0},
		"rating fails oddly":     {metadata{value: movie}, rating{err: errors.New("odd")}, model.Details{Metadata: movie}, 0, 0},
		"rating hangs":           {metadata{value: movie}, rating{four, nil, time.Hour}, model.Details{Metadata: movie}, 0, 9 * time.Second},
		"no movie":               {metadata{err: model.NoMovie("1")}, rating{four, nil, time.Hour}, model.Details{}, problem.NotFound, 0},
		"metadata fails":         {metadata{err: away}, rating{four, nil, time.Hour}, model.Details{}, problem.Unavailable, 0},
		"metadata hangs":         {metadata{movie, nil, time.Hour}, rating{value: four}, model.Details{}, problem.Unavailable, 9 * time.Second},
		"all hang":               {metadata{movie, nil, time.Hour}, rating{four, nil, time.Hour}, model.Details{}, problem.Unavailable, 9 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				start := time.Now()
				got, err := controller.New(c.metadata, c.rating, nil).Details(ctx, "1")
				if diff := cmp.Diff(c.want, got); diff != "" || (err != nil) != (c.kind != 0) || err != nil && problem.KindOf(err) != c.kind {
					t.Errorf("Details = %v, want kind %v (-want +got):\n%s", err, c.kind, diff)
				}
				if took := time.Since(start); took != c.took {
					t.Errorf("Details took %v of the caller's 10s, want %v", took, c.took)
				}
			})
		})
	}
}

func TestDetailsWithoutADeadline(t *testing.T) {
	got, err := controller.New(metadata{value: movie}, rating{value: four}, nil).Details(t.Context(), "1")
	if diff := cmp.Diff(model.Details{Metadata: movie, Rating: &four}, got); err != nil || diff != "" {
		t.Errorf("Details = %v (-want +got):\n%s", err, diff)
	}
}

// broken panics, as a programming mistake would.
type broken[T any] struct{}

func (broken[T]) Get(context.Context, string) (T, error)         { panic("index out of range") }
func (broken[T]) GetSome(context.Context, []string) map[string]T { panic("index out of range") }

// A panic beside the call must come to whoever recovers the panics of handlers, not end the process.
func TestAPanicAsideIsTheHandlers(t *testing.T) {
	defer func() {
		if p, ok := recover().(string); !ok || !strings.Contains(p, "index out of range") || !strings.Contains(p, "broken") {
			t.Errorf("panic of Details = %q, want the rating's, with where it was", p)
		}
	}()
	_, _ = controller.New(metadata{value: movie}, broken[model.Rating]{}, nil).Details(t.Context(), "1")
	t.Error("Details did not panic")
}
