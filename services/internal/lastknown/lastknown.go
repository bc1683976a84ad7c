package lastknown

import (
	"context"
	"errors"
	"fmt"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"movieexample.com/fleet/services/internal/problem"
)

// capacity bounds memory: some kilobytes a value at most, usually much less.
const capacity = 10_000

// Fallback remembers the values under keys. It is safe for concurrent use.
type Fallback[K comparable, T any] struct {
	notes     *Notes
	markStale func(T) T
	values    *lru.Cache[K, T]
}

// New makes a fallback that remembers nothing yet.
func New[K comparable, T any](o Options, markStale func(T) T) (*Fallback[K, T], error) {
	values, err := lru.New[K, T](capacity)
	if err != nil {
		return nil, fmt.Errorf("make the store of last known values: %w", err)
	}
	return &Fallback[K, T]{notes: NewNotes(o), markStale: markStale, values: values}, nil
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
		f.notes.LeftOut(ctx, err)
		return value, err
	}
	f.notes.answered(ctx, err)
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
		f.notes.LeftOut(ctx, err)
		return nil, err
	}
	f.notes.answered(ctx, err)
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
		f.notes.LeftOut(ctx, err)
		return nil
	}
	f.notes.answered(ctx, err)
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

// falls tells whether the dependency is to blame: not for a bad request or one for too much, nor when nobody waits for the
// answer any more.
func falls(ctx context.Context, err error) bool {
	kind := problem.KindOf(err)
	return kind != problem.Invalid && kind != problem.Exhausted && !errors.Is(ctx.Err(), context.Canceled)
}
