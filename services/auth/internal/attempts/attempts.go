package attempts

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

const (
	// Most is how many failures a key may have within Window.
	Most = 5
	// Window is how long a failure counts.
	Window = time.Minute
	// mostKeys bounds the memory, some 3 MB. To push out one key, so that it can fail again, takes failures of this many
	// others, each of which may come only from addresses that have not failed five times themselves.
	mostKeys = 10_000
)

// Limiter counts failures by key. It is safe for concurrent use.
//
// An attempt counts as a failure until it has ended: of a hundred guesses at once no more than five are even looked at
// before the others learn of their failure.
type Limiter struct {
	now func() time.Time

	mu    sync.Mutex
	keys  *simplelru.LRU[string, *record]
	ended chan struct{} // closed, and replaced, when an attempt ends
}

// record is what is known of one key.
type record struct {
	failures []time.Time // the oldest first, at most Most
	underWay int
}

// New takes the clock.
func New(now func() time.Time) *Limiter { return newLimiter(now, mostKeys) }

func newLimiter(now func() time.Time, size int) *Limiter {
	keys, err := simplelru.NewLRU[string, *record](size, nil)
	if err != nil {
		panic(err) // only for a size that is not positive, and this one is a constant
	}
	return &Limiter{now: now, keys: keys, ended: make(chan struct{})}
}

// Attempt is one that was let through. Its outcome must be told, by one call of Failed or Over.
type Attempt struct {
	limiter *Limiter
	records []*record
}

// Begin lets an attempt of all these keys through, or says how long to wait because one of them has failed too often.
// While as many attempts are under way as may still fail, it waits for one of them to end; the error is that of ctx.
func (l *Limiter) Begin(ctx context.Context, keys ...string) (attempt *Attempt, wait time.Duration, err error) {
	for {
		l.mu.Lock()
		records := l.records(keys)
		if wait := l.wait(records); wait > 0 {
			l.mu.Unlock()
			return nil, wait, nil
		}
		if free(records) {
			for _, r := range records {
				r.underWay++
			}
			l.mu.Unlock()
			return &Attempt{limiter: l, records: records}, 0, nil
		}
		ended := l.ended
		l.mu.Unlock()
		select {
		case <-ended:
		case <-ctx.Done():
			return nil, 0, ctx.Err()
		}
	}
}

// Failed says that the attempt ended with what is counted here.
func (a *Attempt) Failed() { a.end(true) }

// Over says that the attempt ended, well or by no fault of its own.
func (a *Attempt) Over() { a.end(false) }

func (a *Attempt) end(failed bool) {
	l := a.limiter
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range a.records {
		r.underWay--
		if failed {
			r.failures = append(r.failures, l.now())
		}
	}
	close(l.ended)
	l.ended = make(chan struct{})
}

// records are those of the keys, made if need be, without the failures that time has healed.
func (l *Limiter) records(keys []string) []*record {
	list := make([]*record, 0, len(keys))
	since := l.now().Add(-Window)
	for _, key := range keys {
		r, ok := l.keys.Get(key)
		if !ok {
			r = &record{}
			l.keys.Add(key, r)
		}
		for len(r.failures) > 0 && !r.failures[0].After(since) {
			r.failures = r.failures[1:]
		}
		list = append(list, r)
	}
	return list
}

// wait is until the last of the records may fail again; 0 if all may.
func (l *Limiter) wait(records []*record) time.Duration {
	var longest time.Duration
	for _, r := range records {
		if len(r.failures) >= Most {
			longest = max(longest, r.failures[len(r.failures)-Most].Add(Window).Sub(l.now()))
		}
	}
	return longest
}

func free(records []*record) bool {
	for _, r := range records {
		if len(r.failures)+r.underWay >= Most {
			return false
		}
	}
	return true
}
