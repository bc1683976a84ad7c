package main

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"
)

// maxInFlight bounds memory when nothing answers; what would go beyond is not sent, and counts as failed.
const maxInFlight = 10_000

const progressEvery = 5 * time.Second

// drive makes each call when it is due, whether or not earlier ones were answered, and waits for the last. The time of a
// call counts from when it was due, so that a stall shows in every call that it delayed.
func drive(ctx context.Context, o options, call caller, progress io.Writer) *report {
	r := newReport(o)
	// Calls outlive an interrupt by their timeout: what was sent is reported.
	calls := context.WithoutCancel(ctx)
	slots := make(chan struct{}, maxInFlight) // a semaphore; its size is the point
	var wait sync.WaitGroup
	began, interval := time.Now(), time.Second/time.Duration(o.rate)
	shown := began
	for i := range o.calls() {
		due := began.Add(time.Duration(i) * interval)
		if !sleepUntil(ctx, due) {
			break
		}
		if !o.quiet && time.Since(shown) >= progressEvery {
			shown = time.Now()
			_, _ = fmt.Fprintln(progress, r.progress(shown.Sub(began)))
		}
		select {
		case slots <- struct{}{}:
		default:
			r.skip(time.Now())
			continue
		}
		wait.Go(func() {
			defer func() { <-slots }()
			sent := time.Now()
			result := call(calls, o.movies[i%len(o.movies)])
			r.add(result, due, sent, time.Now())
		})
	}
	wait.Wait()
	r.finish(time.Since(began))
	return r
}

func sleepUntil(ctx context.Context, due time.Time) bool {
	wait := time.Until(due)
	if wait <= 0 {
		return ctx.Err() == nil
	}
	select {
	case <-ctx.Done():
		return false
	case <-time.After(wait):
		return true
	}
}
