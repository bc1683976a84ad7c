package controller

import (
	"context"
	"slices"

	"movieexample.com/fleet/services/movie/internal/model"
)

const mostRecommendations = 5

// Titles lists movies.
type Titles interface {
	// ByDirector are up to most movies of exactly this director; none if they cannot be had.
	ByDirector(ctx context.Context, director string, most int) []model.Title
}

// Recommendations are other movies by the director of a movie, while a feature is on. Nil recommends nothing.
type Recommendations struct {
	titles Titles
	on     func(context.Context) bool
}

// Recommend takes where titles come from, and what tells whether the feature is on.
func Recommend(titles Titles, on func(context.Context) bool) *Recommendations {
	return &Recommendations{titles: titles, on: on}
}

// of are those for a movie. For one whose metadata is stale there are none: who could not say what it is now cannot list
// others either.
func (r *Recommendations) of(ctx context.Context, m model.Metadata) []model.Title {
	if r == nil || m.Director == "" || m.Stale || !r.on(ctx) {
		return nil
	}
	others := r.titles.ByDirector(ctx, m.Director, mostRecommendations+1) // the movie may be one of them
	others = slices.DeleteFunc(others, func(t model.Title) bool { return t.ID == m.ID })
	return others[:min(len(others), mostRecommendations)]
}
