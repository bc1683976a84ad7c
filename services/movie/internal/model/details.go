package model

import (
	"time"

	"movieexample.com/fleet/services/internal/problem"
)

// Metadata is what is known about a movie apart from ratings.
type Metadata struct {
	ID          string
	Title       string
	Description string
	Director    string
	Year        int // 0: not known
	Actors      []string
	CreateTime  time.Time
	UpdateTime  time.Time
	Stale       bool // the last known one: it could not be had now
}

// MarkStale is m as a last known value.
func (m Metadata) MarkStale() Metadata {
	m.Stale = true
	return m
}

// Rating is what people think of a movie.
type Rating struct {
	Value float64 // the mean, 1 to 5
	Count int64   // at least 1
	Stale bool    // the last known one: it could not be had now
}

// MarkStale is r as a last known value.
func (r Rating) MarkStale() Rating {
	r.Stale = true
	return r
}

// Title is a movie by its name alone.
type Title struct {
	ID   string
	Name string
}

// Details is all of it. Rating is nil if nobody has rated the movie, or if its rating cannot be had and is not known.
type Details struct {
	Metadata        Metadata
	Rating          *Rating
	Recommendations []Title // may be empty
}

// NoMovie is the failure for an id that no movie has.
func NoMovie(id string) error { return problem.NewNotFound("there is no movie %q", id) }

// NoRating is the failure for a movie that nobody has rated.
func NoRating(id string) error { return problem.NewNotFound("nobody has rated movie %q", id) }
