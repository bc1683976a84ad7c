//go:build bench

package services_test

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// throughput is the calls a second of so many callers, each with one call at a time, and the processor time of the
// system's processes for each call.
func throughput(tb testing.TB, s system, callers int, lasts time.Duration) (perSecond float64, each time.Duration) {
	tb.Helper()
	before := s.processor(tb)
	var calls, failed atomic.Int64
	var all sync.WaitGroup
	began := time.Now()
	for range callers {
		all.Go(func() {
			for time.Since(began) < lasts {
				if err := s.call(context.Background()); err != nil {
					failed.Add(1)
				}
				calls.Add(1)
			}
		})
	}
	all.Wait()
	if n := failed.Load(); n > 0 {
		tb.Errorf("%s: %d of %d calls failed", s.name, n, calls.Load())
	}
	return float64(calls.Load()) / time.Since(began).Seconds(), (s.processor(tb) - before) / time.Duration(max(1, calls.Load()))
}

// latency is that of calls at a steady rate, at a part of them (0.99). It counts from when a call was due: one that could
// not begin in time has waited too.
func latency(tb testing.TB, s system, perSecond float64, lasts time.Duration, part float64) time.Duration {
	tb.Helper()
	const callers = 64
	took := make([][]time.Duration, callers)
	total := int64(perSecond * lasts.Seconds())
	var next, failed atomic.Int64
	var all sync.WaitGroup
	began := time.Now()
	for i := range callers {
		all.Go(func() {
			for n := next.Add(1); n <= total; n = next.Add(1) {
				due := began.Add(time.Duration(float64(n) / perSecond * float64(time.Second)))
				time.Sleep(time.Until(due))
				if err := s.call(context.Background()); err != nil {
					failed.Add(1)
				}
				took[i] = append(took[i], time.Since(due))
			}
		})
	}
	all.Wait()
	if n := failed.Load(); n > 0 {
		tb.Errorf("%s: %d of %d calls failed", s.name, n, total)
	}
	sorted := slices.Sorted(slices.Values(slices.Concat(took...)))
	return sorted[int(float64(len(sorted)-1)*part)]
}

func median[T int64 | float64 | time.Duration](list []T) T {
	slices.Sort(list)
	return list[len(list)/2]
}
