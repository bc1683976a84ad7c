package controller_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"movieexample.com/fleet/services/internal/problem"
	"movieexample.com/fleet/services/movie/internal/controller"
	"movieexample.com/fleet/services/movie/internal/model"
)

// shelf has many values, and knows what it was asked.
type shelf[T any] struct {
	source[T]

	values map[string]T
	asked  [][]string
}

func (s *shelf[T]) GetMany(_ context.Context, ids []string) (map[string]T, error) {
	s.asked = append(s.asked, ids)
	return s.values, nil
}

func (s *shelf[T]) GetSome(ctx context.Context, ids []string) map[string]T {
	values, _ := s.GetMany(ctx, ids)
	return values
}

func TestDetailsOfManyKeepTheOrder(t *testing.T) {
	a, b := model.Metadata{ID: "a"}, model.Metadata{ID: "b", Stale: true}
	metadata := &shelf[model.Metadata]{values: map[string]model.Metadata{"a": a, "b": b}}
	rating := &shelf[model.Rating]{values: map[string]model.Rating{"a": four, "y": four}}

	found, missing, err := controller.New(metadata, rating, nil).DetailsOfMany(t.Context(), []string{"b", "y", "a", "b", "x", "y"})
	want := []model.Details{{Metadata: b}, {Metadata: a, Rating: &four}}
	if diff := cmp.Diff(want, found); err != nil || diff != "" {
		t.Errorf("DetailsOfMany = %v; found (-want +got):\n%s", err, diff)
	}
	if diff := cmp.Diff([]string{"y", "x"}, missing); diff != "" {
		t.Errorf("missing (-want +got):\n%s", diff)
	}
	for name, asked := range map[string][][]string{"metadata": metadata.asked, "rating": rating.asked} {
		if diff := cmp.Diff([][]string{{"b", "y", "a", "x"}}, asked); diff != "" {
			t.Errorf("calls of %s (-want +got):\n%s", name, diff)
		}
	}
}

func TestDetailsOfManyWhenOneFails(t *testing.T) {
	for name, c := range map[string]struct {
		metadata metadata
		rating   rating
		want     []model.Details
		kind     problem.Kind
		took     time.Duration
	}{
		"none, at the same time": {metadata{movie, nil, time.Second}, rating{four, nil, time.Second}, []model.Details{{Metadata: movie, Rating: &four}}, 0, time.Second},
		"rating fails":           {metadata{value: movie}, rating{err: away}, []model.Details{{Metadata: movie}}, 0, 0},
		"rating hangs":           {metadata{value: movie}, rating{four, nil, time.Hour}, []model.Details{{Metadata: movie}}, 0, 9 * time.Second},
		"metadata fails":         {metadata{err: away}, rating{four, nil, time.Hour}, nil, problem.Unavailable, 0},
		"metadata hangs":         {metadata{movie, nil, time.Hour}, rating{value: four}, nil, problem.Unavailable, 9 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				start := time.Now()
				got, missing, err := controller.New(c.metadata, c.rating, nil).DetailsOfMany(ctx, []string{"1"})
				if diff := cmp.Diff(c.want, got); diff != "" || len(missing) != 0 || (err != nil) != (c.kind != 0) || err != nil && problem.KindOf(err) != c.kind {
					t.Errorf("DetailsOfMany = %v, missing %v, want kind %v and none (-want +got):\n%s", err, missing, c.kind, diff)
				}
				if took := time.Since(start); took != c.took {
					t.Errorf("DetailsOfMany took %v of the caller's 10s, want %v", took, c.took)
				}
			})
		})
	}
}

func TestAPanicBesideABatchIsTheHandlers(t *testing.T) {
	defer func() {
		if p, ok := recover().(string); !ok || !strings.Contains(p, "index out of range") {
			t.Errorf("panic of DetailsOfMany = %q, want the rating's", p)
		}
	}()
	_, _, _ = controller.New(metadata{value: movie}, broken[model.Rating]{}, nil).DetailsOfMany(t.Context(), []string{"1"})
	t.Error("DetailsOfMany did not panic")
}
