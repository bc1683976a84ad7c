package controller

import (
	"time"

	"movieexample.com/fleet/services/internal/validate"
	"movieexample.com/fleet/services/rating/internal/model"
)

// maxAhead is how far a write may lie in the future: clocks of callers differ, but a write of next year would make every
// later one stale.
const maxAhead = 5 * time.Minute

// DefaultRetention is as long as Kafka keeps rating events: no replay brings one that is older.
const DefaultRetention = 7 * 24 * time.Hour

// Rules are those of a write that depend on settings and on the clock; all others stand in the proto file. Whatever writes
// ratings, requests or events, is held to them.
type Rules struct {
	RecordTypes []string      // what may be rated
	Retention   time.Duration // how old a write may be, and at least how long tombstones stay
}

// Check names every field of the write at fault.
func (r Rules) Check(w model.Write, now time.Time) error {
	var fields validate.Fields
	r.checkType(&fields, w.Key.Record.Type)
	switch at := w.OccurredAt; {
	case at.After(now.Add(maxAhead)):
		fields.Fail("occurred_at", "is %s, more than %s ahead of the service's clock", at.Format(time.RFC3339), maxAhead)
	case at.Before(time.Unix(0, 0)):
		fields.Fail("occurred_at", "is %s, want a time after 1970", at.Format(time.RFC3339))
	case r.Expired(w, now):
		fields.Fail("occurred_at", "is %s, want one of the last %s: whether it was taken back since is not known any more",
			at.Format(time.RFC3339), r.Retention)
	}
	return fields.Err()
}

func (r Rules) checkType(fields *validate.Fields, recordType string) {
	fields.OneOf("record_type", recordType, r.RecordTypes)
}

// Expired tells whether a write is older than tombstones need to be. It must not be stored: the deletion that it would have
// to lose against may be forgotten.
func (r Rules) Expired(w model.Write, now time.Time) bool {
	return w.OccurredAt.Before(now.Add(-r.Retention))
}
