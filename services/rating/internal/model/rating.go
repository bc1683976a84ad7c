package model

import (
	"cmp"
	"time"
)

// The least and the greatest value of a rating.
const (
	MinValue = 1
	MaxValue = 5
)

// Record is what is rated.
type Record struct {
	Type string
	ID   string
}

// Key is one user's place at one record: there is at most one rating under it.
type Key struct {
	Record Record
	UserID string
}

// Write is one thing that a user did: rate, or take the rating back. OccurredAt is when, in whole microseconds of UTC:
// databases keep no more.
type Write struct {
	Key        Key
	Deleted    bool
	Value      int // 0 if Deleted
	OccurredAt time.Time
}

// Row is what is stored under a key: the last write and when it was stored. A deletion stays as a row too (a tombstone),
// or else an older write that arrives later would bring the rating back.
type Row struct {
	Write
	CreateTime time.Time
	UpdateTime time.Time
}

// Aggregate is the sum and the number of a record's ratings.
type Aggregate struct {
	Sum   int64
	Count int64
	Stale bool // the last known one: it cannot be read now
}

// Mean is the arithmetic mean, and 0 without ratings: never NaN, which JSON cannot carry.
func (a Aggregate) Mean() float64 {
	if a.Count == 0 {
		return 0
	}
	return float64(a.Sum) / float64(a.Count)
}

// MarkStale is a as a last known aggregate.
func (a Aggregate) MarkStale() Aggregate {
	a.Stale = true
	return a
}

// Plus adds a change.
func (a Aggregate) Plus(change Aggregate) Aggregate {
	return Aggregate{Sum: a.Sum + change.Sum, Count: a.Count + change.Count}
}

// Outcome is what a write did.
type Outcome int

// The outcomes of a write.
const (
	Applied   Outcome = iota + 1 // it is stored
	Stale                        // a later write is stored: nothing changed
	Duplicate                    // the very same write is stored: nothing changed
)

// Result is what a write did, what is stored under its key now, and what it changed in the record's aggregate.
type Result struct {
	Outcome Outcome
	Row     Row
	Change  Aggregate
}

// Apply decides what w does to stored (nil: there is nothing under its key). Everything that writes ratings decides by
// it, so writes, replays and duplicates in any order end with the same rows and the same aggregates.
func Apply(stored *Row, w Write, now time.Time) Result {
	if stored == nil {
		return Result{Outcome: Applied, Row: Row{Write: w, CreateTime: now, UpdateTime: now}, Change: Contribution(w)}
	}
	switch order := compare(w, stored.Write); {
	case order < 0:
		return Result{Outcome: Stale, Row: *stored}
	case order == 0:
		return Result{Outcome: Duplicate, Row: *stored}
	default:
		before, after := Contribution(stored.Write), Contribution(w)
		return Result{
			Outcome: Applied,
			Row:     Row{Write: w, CreateTime: stored.CreateTime, UpdateTime: now},
			Change:  Aggregate{Sum: after.Sum - before.Sum, Count: after.Count - before.Count},
		}
	}
}

// compare orders the writes of one key: by the time they occurred; within one microsecond a deletion is the last word,
// and of two ratings the higher. It is a total order, so the greatest write wins wherever it stands among the others.
func compare(a, b Write) int {
	return cmp.Or(a.OccurredAt.Compare(b.OccurredAt), cmp.Compare(rank(a), rank(b)))
}

func rank(w Write) int {
	if w.Deleted {
		return MaxValue + 1
	}
	return w.Value
}

// Contribution is what a write adds to its record's aggregate while it is the stored one.
func Contribution(w Write) Aggregate {
	if w.Deleted {
		return Aggregate{}
	}
	return Aggregate{Sum: int64(w.Value), Count: 1}
}
