package controller_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"movieexample.com/fleet/services/movie/internal/controller"
	"movieexample.com/fleet/services/movie/internal/model"
)

// catalog has so many movies of each director, "1" and on, and is slow.
type catalog struct {
	movies int
	after  time.Duration
	asked  []string
}

func (c *catalog) ByDirector(_ context.Context, director string, most int) []model.Title {
	c.asked = append(c.asked, director)
	time.Sleep(c.after)
	var titles []model.Title
	for i := range min(c.movies, most) {
		titles = append(titles, model.Title{ID: fmt.Sprint(i + 1), Name: "T"})
	}
	return titles
}

func TestRecommendations(t *testing.T) {
	directed := model.Metadata{ID: "1", Title: "T", Director: "Foo"}
	another := directed
	another.ID = "9"
	for name, c := range map[string]struct {
		movie  model.Metadata
		off    bool
		movies int
		want   []string
	}{
		"others, and not itself": {movie: directed, movies: 3, want: []string{"2", "3"}},
		"five at most":           {movie: directed, movies: 9, want: []string{"2", "3", "4", "5", "6"}},
		"five, itself far off":   {movie: another, movies: 9, want: []string{"1", "2", "3", "4", "5"}},
		"none":                   {movie: directed, movies: 1},
		"cannot be had":          {movie: directed},
		"feature off":            {movie: directed, movies: 3, off: true},
		"no director":            {movie: movie, movies: 3},
		"stale":                  {movie: directed.MarkStale(), movies: 3},
	} {
		t.Run(name, func(t *testing.T) {
			titles := &catalog{movies: c.movies}
			recommendations := controller.Recommend(titles, func(context.Context) bool { return !c.off })
			got, err := controller.New(metadata{value: c.movie}, rating{value: four}, recommendations).Details(t.Context(), c.movie.ID)
			want := model.Details{Metadata: c.movie, Rating: &four}
			for _, id := range c.want {
				want.Recommendations = append(want.Recommendations, model.Title{ID: id, Name: "T"})
			}
			if len(got.Recommendations) == 0 {
				got.Recommendations = nil
			}
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Errorf("Details = %v (-want +got):\n%s", err, diff)
			}
			asks := c.movies > 0 && c.want != nil || name == "none" || name == "cannot be had"
			if asked := len(titles.asked) == 1 && titles.asked[0] == "Foo"; asked != asks || len(titles.asked) > 1 {
				t.Errorf("titles asked for: %q, want %v", titles.asked, asks)
			}
		})
	}
}

// Recommendations are waited for together with the rating, not after it.
func TestRecommendationsBesideTheRating(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		titles := &catalog{movies: 2, after: time.Second}
		recommendations := controller.Recommend(titles, func(context.Context) bool { return true })
		directed := model.Metadata{ID: "1", Director: "Foo"}
		began := time.Now()
		got, err := controller.New(metadata{value: directed}, rating{four, nil, time.Second}, recommendations).Details(t.Context(), "1")
		if took := time.Since(began); err != nil || got.Rating == nil || len(got.Recommendations) != 1 || took != time.Second {
			t.Errorf("Details = %v, %v after %v, want a rating and a recommendation after 1s", got, err, took)
		}
	})
}

func TestNoRecommendationsInABatch(t *testing.T) {
	titles := &catalog{movies: 3}
	recommendations := controller.Recommend(titles, func(context.Context) bool { return true })
	directed := model.Metadata{ID: "1", Director: "Foo"}
	got, _, err := controller.New(metadata{value: directed}, rating{value: four}, recommendations).DetailsOfMany(t.Context(), []string{"1"})
	if err != nil || len(got) != 1 || got[0].Recommendations != nil || titles.asked != nil {
		t.Errorf("DetailsOfMany = %v, %v with %q asked for, want a movie without recommendations", got, err, titles.asked)
	}
}
