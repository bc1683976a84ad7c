package lastknown

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// logEvery bounds log lines while a dependency is down and every call falls back.
const logEvery = 10 * time.Second

// Options say for what, and to whom, a fallback reports.
type Options struct {
	Dependency string // its name in metrics and logs
	Metrics    *Metrics
	Log        *slog.Logger
	Now        func() time.Time // of log lines
}

// Notes count and log failed calls that were answered in another way. They are safe for concurrent use.
type Notes struct {
	options Options
	stale   prometheus.Counter
	none    prometheus.Counter

	mu      sync.Mutex
	logged  time.Time
	skipped int
}

// NewNotes is for who has nothing to remember; a [Fallback] makes its own.
func NewNotes(o Options) *Notes {
	return &Notes{
		options: o,
		stale:   o.Metrics.fallbacks.WithLabelValues(o.Dependency, answerLastKnown),
		none:    o.Metrics.fallbacks.WithLabelValues(o.Dependency, answerNone),
	}
}

// LeftOut notes a call that failed with err and was answered with nothing.
func (n *Notes) LeftOut(ctx context.Context, err error) {
	n.none.Inc()
	n.note(ctx, err, answerNone)
}

func (n *Notes) answered(ctx context.Context, err error) {
	n.stale.Inc()
	n.note(ctx, err, answerLastKnown)
}

// note logs the first fallback, and then one in logEvery with the number of those in between.
func (n *Notes) note(ctx context.Context, err error, answer string) {
	n.mu.Lock()
	now := n.options.Now()
	if !n.logged.IsZero() && now.Sub(n.logged) < logEvery {
		n.skipped++
		n.mu.Unlock()
		return
	}
	skipped := n.skipped
	n.logged, n.skipped = now, 0
	n.mu.Unlock()
	n.options.Log.WarnContext(ctx, "Falling back", "dependency", n.options.Dependency, "answer", answer, "error", err, "not_logged_before", skipped)
}
