package model

import (
	"time"

	"movieexample.com/fleet/services/internal/problem"
)

// Form is the number of Metadata's form outside the process. Raise it with each change of a field: instances of two
// revisions share a cache, and neither may read what the other wrote as something else.
const Form = 1

// Metadata is one movie's record. Year 0 means not known; description, director and actors may be empty. The times are
// the service's own.
type Metadata struct {
	ID          string
	Title       string
	Description string
	Director    string
	Year        int
	Actors      []string
	CreateTime  time.Time
	UpdateTime  time.Time
	Stale       bool // the last known record: it cannot be read now
}

// MarkStale is m as a last known record.
func (m Metadata) MarkStale() Metadata {
	m.Stale = true
	return m
}

// Query asks for some records in the order of their ids, byte by byte.
type Query struct {
	After    string // only ids greater than this
	Director string // only records of exactly this director; empty: of all
	Limit    int
}

// NotFound is what repositories return for a record that is not there.
func NotFound(id string) error { return problem.NewNotFound("there is no movie %q", id) }
