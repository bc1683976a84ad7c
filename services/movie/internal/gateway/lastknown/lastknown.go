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
	// capacity bounds memory: some kilobytes a movie at most, usually much less.
	capacity = 10_000
	// logEvery bounds log lines while a service is down and every call falls back.
	logEvery = 10 * time.Second
)

// Getter gives the value under an id; a problem of kind NotFound says that there is none.
type Getter[T any] interface {
	Get(ctx context.Context, id string) (T, error)
}

// Gateway is a Getter that remembers. It is safe for concurrent use.
type Gateway[T any] struct {
	next       Getter[T]
	markStale  func(T) T
	dependency string
	values     *lru.Cache[string, T]
	stale      prometheus.Counter
	none       prometheus.Counter
	log        *slog.Logger
	now        func() time.Time

	mu      sync.Mutex
	logged  time.Time
	skipped int
}

// New wraps next, whose service is called dependency in metrics and logs. The times of log lines come from now.
func New[T any](
	next Getter[T], markStale func(T) T, dependency string, metrics *Metrics, log *slog.Logger, now func() time.Time,
) (*Gateway[T], error) {
	values, err := lru.New[string, T](capacity)
	if err != nil {
		return nil, fmt.Errorf("make the store of last known values: %w", err)
	}
	return &Gateway[T]{
		next: next, markStale: markStale, dependency: dependency, values: values, log: log, now: now,
		stale: metrics.fallbacks.WithLabelValues(dependency, answerLastKnown),
		none:  metrics.fallbacks.WithLabelValues(dependency, answerNone),
	}, nil
}

// Get is what the service says. If it fails and has given a value for id before, that value, marked stale; else its error.
// A value that the service says is not there is forgotten.
func (g *Gateway[T]) Get(ctx context.Context, id string) (T, error) {
	value, err := g.next.Get(ctx, id)
	switch {
	case err == nil:
		g.values.Add(id, value)
		return value, nil
	case problem.KindOf(err) == problem.NotFound:
		g.values.Remove(id)
		return value, err
	case errors.Is(ctx.Err(), context.Canceled): // nobody waits for an answer: the service is not to blame
		return value, err
	}
	known, ok := g.values.Get(id)
	if !ok {
		g.none.Inc()
		g.note(err, answerNone)
		return value, err
	}
	g.stale.Inc()
	g.note(err, answerLastKnown)
	return g.markStale(known), nil
}

// note logs the first fallback, and then one in logEvery with the number of those in between.
func (g *Gateway[T]) note(err error, answer string) {
	g.mu.Lock()
	now := g.now()
	if !g.logged.IsZero() && now.Sub(g.logged) < logEvery {
		g.skipped++
		g.mu.Unlock()
		return
	}
	skipped := g.skipped
	g.logged, g.skipped = now, 0
	g.mu.Unlock()
	g.log.Warn("Falling back", "dependency", g.dependency, "answer", answer, "error", err, "not_logged_before", skipped)
}
