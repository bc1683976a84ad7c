package ingest

import (
	"sync"
	"time"
)

// place is how far a partition is, for metrics and for Kafka's commit.
type place struct {
	mu        sync.Mutex
	known     bool      // the database has said where the partition is
	next      int64     // offset after the last one that the database has
	end       int64     // offset after the last one that there is
	committed int64     // what Kafka was told
	waiting   time.Time // when the oldest event came that is read and not in the database; zero if there is none
	since     time.Time // when the last event came that is in the database, or when the partition was assigned
}

// begin is where the database says that the partition is.
func (p *place) begin(next int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.known, p.next, p.waiting = true, next, time.Time{}
}

func (p *place) endsAt(end int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.end = max(p.end, end)
}

// lost is called when the topic ends before where it did: a broker lost its latest events.
func (p *place) lost(end int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.end = end
}

// hold is called with the time of the oldest event at hand.
func (p *place) hold(oldest time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting = oldest
}

// move is called when the database has moved; newest is the time of the last event of the batch.
func (p *place) move(next int64, newest time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next, p.since, p.waiting = next, newest, time.Time{}
	p.end = max(p.end, next)
}

// uncommitted is the offset that Kafka is to be told, if it differs from what Kafka was told.
func (p *place) uncommitted() (int64, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.next, p.known && p.next != p.committed
}

func (p *place) committedAt(next int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.committed = next
}

// lag is how many offsets are not in the database, and the age of the oldest event among them. Before that event is read,
// its age is that of the last one before it: it is no older.
func (p *place) lag(now time.Time) (next, records int64, oldest time.Duration, known bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	records = max(p.end-p.next, 0)
	switch {
	case !p.waiting.IsZero():
		oldest = now.Sub(p.waiting)
	case records > 0:
		oldest = now.Sub(p.since)
	}
	return p.next, records, max(oldest, 0), p.known
}
