package shared

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"movieexample.com/fleet/services/internal/breaker"
	"movieexample.com/fleet/services/internal/cache"
	"movieexample.com/fleet/services/internal/telemetry"
)

const (
	// written stands for a value that is being written: nobody keeps what was read meanwhile.
	written = ""
	// writtenFor is longer than any read that may bring the value from before: see readTimeout of package cache.
	writtenFor = 5 * time.Second
)

// Options of a store.
type Options struct {
	Name string // in metrics
	// Prefix of the keys. It names the form of the values too: programs that share a Redis must read each other's, so
	// change it whenever a field of V changes.
	Prefix  string
	TTL     time.Duration
	Breaker *breaker.Breaker // of the Redis
	Metrics *cache.Metrics
	Log     *slog.Logger
}

// Store keeps values as JSON. It is safe for concurrent use.
type Store[V any] struct {
	client  *redis.Client
	options Options
	limit   time.Duration // of one question
	hits    prometheus.Counter
	misses  prometheus.Counter
	failed  prometheus.Counter
}

// New uses the client; the caller closes it. A question takes no longer than the client may take to connect.
func New[V any](client *redis.Client, o Options) *Store[V] {
	return &Store[V]{
		client: client, options: o, limit: client.Options().DialTimeout,
		hits:   o.Metrics.Counter(o.Name, cache.Hit),
		misses: o.Metrics.Counter(o.Name, cache.Miss),
		failed: o.Metrics.Counter(o.Name, cache.Failed),
	}
}

// One is the value under key, read if it is not in Redis, or if Redis cannot be asked. That there is no value is not kept.
func (s *Store[V]) One(ctx context.Context, key string, read func(context.Context) (V, error)) (V, error) {
	if value, ok := s.lookup(ctx, []string{key})[key]; ok {
		return value, nil
	}
	value, err := read(ctx)
	if err == nil {
		s.keep(ctx, map[string]V{key: value})
	}
	return value, err
}

// Many are the values of those keys that have one. What is not in Redis is read in one go.
func (s *Store[V]) Many(
	ctx context.Context, keys []string, read func(context.Context, []string) (map[string]V, error),
) (map[string]V, error) {
	found := s.lookup(ctx, keys)
	var absent []string
	for _, key := range keys {
		if _, ok := found[key]; !ok {
			absent = append(absent, key)
		}
	}
	if len(absent) == 0 {
		return found, nil
	}
	values, err := read(ctx, absent)
	if err != nil {
		return nil, err
	}
	s.keep(ctx, values)
	for key, value := range values {
		found[key] = value
	}
	return found, nil
}

// Write replaces the value under key by what write stores. From before until after the write nobody keeps the value: a
// read that began before it may bring the old one. If Redis is away meanwhile, others may see the old value until its TTL
// is over.
func (s *Store[V]) Write(ctx context.Context, key string, write func() error) error {
	s.drop(ctx, key)
	err := write()
	s.drop(context.WithoutCancel(ctx), key) // written or not: the answer may have been lost
	return err
}

func (s *Store[V]) drop(ctx context.Context, key string) {
	s.ask(ctx, func(ctx context.Context) error {
		return s.client.Set(ctx, s.options.Prefix+key, written, writtenFor).Err()
	})
}

// lookup counts each key.
func (s *Store[V]) lookup(ctx context.Context, keys []string) map[string]V {
	names := make([]string, len(keys))
	for i, key := range keys {
		names[i] = s.options.Prefix + key
	}
	var texts []any
	found := make(map[string]V, len(keys))
	if !s.ask(ctx, func(ctx context.Context) (err error) { texts, err = s.client.MGet(ctx, names...).Result(); return err }) {
		s.failed.Add(float64(len(keys)))
		return found
	}
	for i, text := range texts {
		text, ok := text.(string)
		if !ok || text == written {
			continue
		}
		var value V
		if err := json.Unmarshal([]byte(text), &value); err != nil {
			s.options.Log.WarnContext(ctx, "What is in Redis cannot be read", "cache", s.options.Name, telemetry.KeyError, err)
			continue
		}
		found[keys[i]] = value
	}
	s.hits.Add(float64(len(found)))
	s.misses.Add(float64(len(keys) - len(found)))
	return found
}

// keep puts what is not there: a value that was written meanwhile is the newer one.
func (s *Store[V]) keep(ctx context.Context, values map[string]V) {
	if len(values) == 0 {
		return
	}
	s.ask(ctx, func(ctx context.Context) error {
		_, err := s.client.Pipelined(ctx, func(p redis.Pipeliner) error {
			for key, value := range values {
				text, err := json.Marshal(value)
				if err != nil {
					return fmt.Errorf("write %q: %w", key, err)
				}
				p.SetNX(ctx, s.options.Prefix+key, text, s.options.TTL)
			}
			return nil
		})
		return err
	})
}

// ask asks Redis, if it is there, and tells whether it answered. The breaker logs that it is away, once.
func (s *Store[V]) ask(ctx context.Context, call func(context.Context) error) bool {
	pass, err := s.options.Breaker.Allow()
	if err != nil {
		return false
	}
	how := breaker.Unknown
	defer func() { pass.Done("", how) }()
	limited, cancel := context.WithTimeout(ctx, s.limit)
	defer cancel()
	switch err = call(limited); {
	case err == nil:
		how = breaker.Good
	case errors.Is(ctx.Err(), context.Canceled):
		return false
	default:
		how = breaker.Failed
		s.options.Log.DebugContext(ctx, "Redis failed", "cache", s.options.Name, telemetry.KeyError, err)
	}
	return err == nil
}
