package ingest

import (
	"context"
	"math/rand/v2"
	"time"
)

const (
	shortestPause = 100 * time.Millisecond
	longestPause  = 5 * time.Second
)

// backoff is the pause between tries: doubled each time, and drawn from its upper half so that members part.
type backoff struct{ next time.Duration }

func newBackoff() *backoff { return &backoff{next: shortestPause} }

// pause waits, or less if the context ends.
func (b *backoff) pause(ctx context.Context) {
	d := b.next/2 + rand.N(b.next/2) //nolint:gosec // spreads load, guards nothing
	b.next = min(2*b.next, longestPause)
	sleep(ctx, d)
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
