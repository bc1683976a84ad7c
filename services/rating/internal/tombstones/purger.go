package tombstones

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"movieexample.com/fleet/services/internal/telemetry"
)

const (
	// Spare is how long tombstones stay beyond the age at which writes are refused: for clocks of instances that differ,
	// and for writes that were let in and are not stored yet.
	Spare = time.Hour
	// every is the pause between two looks, and batch the most that one statement removes.
	every = time.Minute
	batch = 500
)

// Repository forgets tombstones of deletions that occurred before a time, the oldest first and at most so many, and says
// how many: 0 too if another instance is at it. Aggregates stay as they are: a deletion adds nothing to them.
type Repository interface {
	Purge(ctx context.Context, before time.Time, most int) (int, error)
}

// Options say how tombstones are removed.
type Options struct {
	Retention time.Duration // how old writes may be
	Now       func() time.Time
	Metrics   prometheus.Registerer
	Log       *slog.Logger
}

// Purger removes tombstones. Any number of instances run one.
type Purger struct {
	repository Repository
	options    Options
	purged     prometheus.Counter
	failing    bool
}

// New registers tombstones_purged_total.
func New(repository Repository, o Options) *Purger {
	o.Log = o.Log.With(telemetry.KeyComponent, "tombstones")
	return &Purger{repository: repository, options: o, purged: promauto.With(o.Metrics).NewCounter(prometheus.CounterOpts{
		Name: "tombstones_purged_total",
		Help: "Deletions of ratings that this instance forgot, since no write that is older can come any more.",
	})}
}

// Run works until ctx ends. A database that is away does not end it.
func (p *Purger) Run(ctx context.Context) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		p.note(ctx, p.purge(ctx))
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// purge removes all that are old enough, a batch at a time so that writers wait for none of them long.
func (p *Purger) purge(ctx context.Context) error {
	before := p.options.Now().Add(-p.options.Retention - Spare)
	for {
		n, err := p.repository.Purge(ctx, before, batch)
		p.purged.Add(float64(n))
		if err != nil || n < batch {
			return err
		}
	}
}

// note tells of a failure once, however long it lasts: tombstones that stay do no harm.
func (p *Purger) note(ctx context.Context, err error) {
	if err != nil && !p.failing && ctx.Err() == nil {
		p.options.Log.WarnContext(ctx, "Tombstones stay longer: they cannot be removed now", telemetry.KeyError, err)
	}
	p.failing = err != nil
}
