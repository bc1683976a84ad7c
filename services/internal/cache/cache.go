package cache

import (
	"context"
	"fmt"
	"hash/maphash"
	"runtime/debug"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/singleflight"

	"movieexample.com/fleet/services/internal/problem"
)

// readTimeout ends a read that several may wait for, and that therefore does not end with any one of them.
const readTimeout = 2 * time.Second

// Options of a cache.
type Options[V any] struct {
	Name    string // in metrics
	Size    int    // the most entries
	TTL     time.Duration
	Missing time.Duration // TTL of the knowledge that there is no value
	// NotFound is the error for a key without a value.
	NotFound func(key string) error
	Metrics  *Metrics
	Now      func() time.Time
}

// Cache is safe for concurrent use. Callers share its values and must not change them.
type Cache[V any] struct {
	options Options[V]
	entries *lru.Cache[string, entry[V]]
	flights singleflight.Group
	hits    prometheus.Counter
	misses  prometheus.Counter
	seed    maphash.Seed

	// mu makes "was anything dropped since the read began? else keep it" one step.
	mu    sync.Mutex
	drops [256]uint64 // by the keys' hashes: a few keys share a number, and then are read once more
}

type entry[V any] struct {
	value   V
	there   bool
	expires time.Time
}

// New is an empty cache.
func New[V any](o Options[V]) (*Cache[V], error) {
	entries, err := lru.New[string, entry[V]](o.Size)
	if err != nil {
		return nil, fmt.Errorf("make the cache %s: %w", o.Name, err)
	}
	return &Cache[V]{
		options: o, entries: entries, seed: maphash.MakeSeed(),
		hits: o.Metrics.Counter(o.Name, Hit), misses: o.Metrics.Counter(o.Name, Miss),
	}, nil
}

// One is the value under key, read if it is not here. All who ask for it meanwhile wait for the same read, which does not
// end when one of them gives up.
func (c *Cache[V]) One(ctx context.Context, key string, read func(context.Context) (V, error)) (V, error) {
	if e, ok := c.lookup(key); ok {
		c.hits.Inc()
		return c.unpack(key, e)
	}
	c.misses.Inc()
	var none V
	flight := c.flights.DoChan(key, func() (any, error) { return c.fill(ctx, key, read) })
	select {
	case done := <-flight:
		if done.Err != nil {
			return none, done.Err
		}
		return done.Val.(V), nil // fill returns nothing else
	case <-ctx.Done():
		return none, ctx.Err()
	}
}

// Many are the values of those keys that have one. What is not here is read in one go.
func (c *Cache[V]) Many(
	ctx context.Context, keys []string, read func(context.Context, []string) (map[string]V, error),
) (map[string]V, error) {
	found := make(map[string]V, len(keys))
	var absent []string
	for _, key := range keys {
		e, ok := c.lookup(key)
		switch {
		case !ok:
			absent = append(absent, key)
		case e.there:
			found[key] = e.value
		}
	}
	c.hits.Add(float64(len(keys) - len(absent)))
	if len(absent) == 0 {
		return found, nil
	}
	c.misses.Add(float64(len(absent)))
	before := make([]uint64, len(absent))
	for i, key := range absent {
		before[i] = c.dropped(key)
	}
	values, err := read(ctx, absent)
	if err != nil {
		return nil, err
	}
	for i, key := range absent {
		value, ok := values[key]
		if ok {
			found[key] = value
		}
		c.keep(key, value, ok, before[i])
	}
	return found, nil
}

// Drop forgets key, now and in reads that are under way: what they bring may be what was there before.
func (c *Cache[V]) Drop(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drops[c.stripe(key)]++
	c.entries.Remove(key)
	c.flights.Forget(key)
}

func (c *Cache[V]) lookup(key string) (entry[V], bool) {
	e, ok := c.entries.Get(key)
	return e, ok && c.options.Now().Before(e.expires)
}

func (c *Cache[V]) unpack(key string, e entry[V]) (V, error) {
	if !e.there {
		return e.value, c.options.NotFound(key)
	}
	return e.value, nil
}

// fill reads and keeps. A panic is an error here: outside of any handler it would end the process.
func (c *Cache[V]) fill(ctx context.Context, key string, read func(context.Context) (V, error)) (value V, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	before := c.dropped(key)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTimeout)
	defer cancel()
	value, err = read(ctx)
	if err == nil || problem.KindOf(err) == problem.NotFound {
		c.keep(key, value, err == nil, before)
	}
	return value, err
}

func (c *Cache[V]) keep(key string, value V, there bool, before uint64) {
	ttl := c.options.TTL
	if !there {
		ttl = c.options.Missing
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.drops[c.stripe(key)] == before {
		c.entries.Add(key, entry[V]{value: value, there: there, expires: c.options.Now().Add(ttl)})
	}
}

func (c *Cache[V]) dropped(key string) uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.drops[c.stripe(key)]
}

func (c *Cache[V]) stripe(key string) uint64 {
	return maphash.String(c.seed, key) % uint64(len(c.drops))
}
