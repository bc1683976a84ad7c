package lastknown

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/prometheus/client_golang/prometheus"

	"movieexample.com/fleet/services/internal/problem"
)

const (
	// capacity bounds memory: some kilobytes a value at most, usually much less.
	capacity = 10_000
	// logEvery bounds log lines while a dependency is down and every call falls back.
	logEvery = 10 * time.Second
)

// Options say for what, and to whom, a fallback reports.
type Options struct {
	Dependency string // its name in metrics and logs
	Metrics    *Metrics
	Log        *slog.Logger
	Now        func() time.Time // of log lines
}

// Fallback remembers the values under keys. It is safe for concurrent use.
type Fallback[K comparable, T any] struct {
	options   Options
	markStale func(T) T
	values    *lru.Cache[K, T]
	stale     prometheus.Counter
	none      prometheus.Counter

	mu      sync.Mutex
	logged  time.Time
	skipped int
}

// New makes a fallback that remembers nothing yet.
func New[K comparable, T any](o Options, markStale func(T) T) (*Fallback[K, T], error) {
	values, err := lru.New[K, T](capacity)
	if err != nil {
		return nil, fmt.Errorf("make the store of last known values: %w", err)
	}
	return &Fallback[K, T]{
		options: o, markStale: markStale, values: values,
		stale: o.Metrics.fallbacks.WithLabelValues(o.Dependency, answerLastKnown),
		none:  o.Metrics.fallbacks.WithLabelValues(o.Dependency, answerNone),
	}, nil
}

// One is what get says. If it fails and key has had a value before, that value, marked stale; else its error. A value
// that is not there any more, by an error of kind NotFound, is forgotten.
func (f *Fallback[K, T]) One(ctx context.Context, key K, get func(context.Context) (T, error)) (T, error) {
	limited, cancel := leaveTimeToAnswer(ctx)
	defer cancel()
	value, err := get(limited)
	switch {
	case err == nil:
		f.Remember(key, value)
		return value, nil
	case problem.KindOf(err) == problem.NotFound:
		f.values.Remove(key)
		return value, err
	case !falls(ctx, err):
		return value, err
	}
	known, ok := f.values.Get(key)
	if !ok {
		return value, f.giveUp(ctx, err)
	}
	f.answered(ctx, err)
	return f.markStale(known), nil
}

// Many is what get says: the values of those keys that have one. If it fails and each of the keys has had a value
// before, those values, marked stale; else its error: whether an unknown key has a value, nobody can say now.
func (f *Fallback[K, T]) Many(ctx context.Context, keys []K, get func(context.Context) (map[K]T, error)) (map[K]T, error) {
	values, err := f.ask(ctx, keys, get)
	if err == nil || !falls(ctx, err) {
		return values, err
	}
	known, all := f.known(keys)
	if !all {
		return nil, f.giveUp(ctx, err)
	}
	f.answered(ctx, err)
	return known, nil
}

// Some is what get says, as Many. If it fails, those of the values that are known, marked stale: it is for callers who can
// do without the others.
func (f *Fallback[K, T]) Some(ctx context.Context, keys []K, get func(context.Context) (map[K]T, error)) map[K]T {
	values, err := f.ask(ctx, keys, get)
	if err == nil || !falls(ctx, err) {
		return values
	}
	known, _ := f.known(keys)
	if len(known) == 0 {
		_ = f.giveUp(ctx, err) // it is counted and logged
		return nil
	}
	f.answered(ctx, err)
	return known
}

// ask is what get says, which is remembered.
func (f *Fallback[K, T]) ask(ctx context.Context, keys []K, get func(context.Context) (map[K]T, error)) (map[K]T, error) {
	limited, cancel := leaveTimeToAnswer(ctx)
	defer cancel()
	values, err := get(limited)
	if err != nil {
		return nil, err
	}
	f.rememberAll(keys, values)
	return values, nil
}

// known are the last known values, marked stale, and whether each of the keys has one.
func (f *Fallback[K, T]) known(keys []K) (values map[K]T, all bool) {
	values, all = make(map[K]T, len(keys)), true
	for _, key := range keys {
		value, ok := f.values.Get(key)
		if !ok {
			all = false
			continue
		}
		values[key] = f.markStale(value)
	}
	return values, all
}

// leaveTimeToAnswer ends a call at nine tenths of the caller's time: a dependency that hangs must not use up the time in
// which the caller can still be given what is known.
func leaveTimeToAnswer(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, deadline.Add(-time.Until(deadline)/10))
}

// Remember keeps a value that was learnt in another way, by writing it.
func (f *Fallback[K, T]) Remember(key K, value T) { f.values.Add(key, value) }

// Knows tells whether there is a value to fall back to.
func (f *Fallback[K, T]) Knows(key K) bool { return f.values.Contains(key) }

// Forget drops what is known of key.
func (f *Fallback[K, T]) Forget(key K) { f.values.Remove(key) }

func (f *Fallback[K, T]) rememberAll(keys []K, values map[K]T) {
	for _, key := range keys {
		if value, ok := values[key]; ok {
			f.Remember(key, value)
			continue
		}
		f.Forget(key)
	}
}

// falls tells whether the dependency is to blame: not for a bad request, nor when nobody waits for the answer any more.
func falls(ctx context.Context, err error) bool {
	return problem.KindOf(err) != problem.Invalid && !errors.Is(ctx.Err(), context.Canceled)
}

func (f *Fallback[K, T]) answered(ctx context.Context, err error) {
	f.stale.Inc()
	f.note(ctx, err, answerLastKnown)
}

func (f *Fallback[K, T]) giveUp(ctx context.Context, err error) error {
	f.none.Inc()
	f.note(ctx, err, answerNone)
	return err
}

// note logs the first fallback, and then one in logEvery with the number of those in between.
func (f *Fallback[K, T]) note(ctx context.Context, err error, answer string) {
	f.mu.Lock()
	now := f.options.Now()
	if !f.logged.IsZero() && now.Sub(f.logged) < logEvery {
		f.skipped++
		f.mu.Unlock()
		return
	}
	skipped := f.skipped
	f.logged, f.skipped = now, 0
	f.mu.Unlock()
	f.options.Log.WarnContext(ctx, "Falling back", "dependency", f.options.Dependency, "answer", answer, "error", err, "not_logged_before", skipped)
}
