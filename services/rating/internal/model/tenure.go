package model

import "time"

// TenureRetention is for how long it is known who has read a partition.
const TenureRetention = 30 * 24 * time.Hour

// Tenure is the time in which consumers of one revision, and no other, begin with a source: from Since until the next one's.
// From is the lowest offset that one of them began at.
type Tenure struct {
	Revision string
	From     int64
	Since    time.Time
}

// Covers tells whether what begins at next belongs to the tenure already: nothing needs to be noted then.
func (t Tenure) Covers(revision string, next int64) bool {
	return t.Revision == revision && t.From <= next
}
