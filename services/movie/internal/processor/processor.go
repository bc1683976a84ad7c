package processor

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"movieexample.com/fleet/services/internal/telemetry"
	"movieexample.com/fleet/services/movie/internal/model"
)

// Lock is the name of the lock under which Run is to be called. All files are one shard.
const Lock = "processor/0"

const (
	lookEvery  = 2 * time.Second // no notice of a change reaches the other machines of a shared volume
	sweepEvery = 10 * time.Minute
	jobLimit   = 5 * time.Minute
)

// Store keeps what is to be checked.
type Store interface {
	// Pending lists what the lock's holder with the index is to check.
	Pending(ctx context.Context, index uint64) ([]model.Job, error)
	Inspect(ctx context.Context, fileID string) (model.Finding, error)
	// Mark notes a finding; false: a later holder has noted one, and nothing has changed.
	Mark(fileID string, index uint64, f model.Finding) (bool, error)
	Finish(j model.Job) error
	// Sweep removes what broke before the time.
	Sweep(ctx context.Context, before time.Time) (int, error)
}

// What became of one check of one file.
const (
	outcomeReady   = "ready"
	outcomeDamaged = "damaged" // the content is not what its id says
	outcomeLate    = "late"    // another has the lock by now
	outcomeFailed  = "failed"  // is tried again
)

// Processor is what one instance does while it has the lock.
type Processor struct {
	store     Store
	keepParts time.Duration
	log       *slog.Logger
	processed *prometheus.CounterVec

	swept time.Time
}

// New makes a processor that removes uploads which broke longer ago than keepParts. It registers files_processed_total.
func New(store Store, keepParts time.Duration, log *slog.Logger, metrics prometheus.Registerer) *Processor {
	p := &Processor{
		store: store, keepParts: keepParts, log: log.With(telemetry.KeyComponent, "processor"),
		processed: promauto.With(metrics).NewCounterVec(prometheus.CounterOpts{
			Name: "files_processed_total", Help: "Checks of uploaded files, by outcome.",
		}, []string{"outcome"}),
	}
	for _, outcome := range []string{outcomeReady, outcomeDamaged, outcomeLate, outcomeFailed} {
		p.processed.WithLabelValues(outcome)
	}
	return p
}

// Run checks what comes until the context ends. The index is that of the lock.
func (p *Processor) Run(ctx context.Context, index uint64) error {
	for ctx.Err() == nil {
		p.round(ctx, index)
		select {
		case <-ctx.Done():
		case <-time.After(lookEvery):
		}
	}
	return ctx.Err()
}

func (p *Processor) round(ctx context.Context, index uint64) {
	jobs, err := p.store.Pending(ctx, index)
	if err != nil {
		p.failed(ctx, "Uploaded files cannot be listed", err)
		return
	}
	for _, j := range jobs {
		if ctx.Err() != nil {
			return
		}
		p.job(ctx, index, j)
	}
	p.sweep(ctx)
}

func (p *Processor) job(ctx context.Context, index uint64, j model.Job) {
	limited, cancel := context.WithTimeout(ctx, jobLimit)
	defer cancel()
	found, err := p.store.Inspect(limited, j.FileID)
	if err != nil {
		p.failed(ctx, "A file could not be checked, and is tried again", err, "file", j.FileID)
		return
	}
	marked, err := p.store.Mark(j.FileID, index, found)
	switch {
	case err != nil:
		p.failed(ctx, "A file could not be marked, and is tried again", err, "file", j.FileID)
		return
	case !marked:
		p.count(outcomeLate)
		return // what is left of the job is the later holder's
	case found.Damaged:
		p.count(outcomeDamaged)
		p.log.ErrorContext(ctx, "A file is damaged: its content is not what its id says; send it again", "file", j.FileID, "size", found.Size)
	default:
		p.count(outcomeReady)
		p.log.InfoContext(ctx, "A file is ready", "file", j.FileID, "size", found.Size, "type", found.Type)
	}
	if err := p.store.Finish(j); err != nil {
		p.failed(ctx, "A job could not be finished, and is done again", err, "file", j.FileID)
	}
}

func (p *Processor) sweep(ctx context.Context) {
	now := time.Now()
	if now.Sub(p.swept) < sweepEvery {
		return
	}
	p.swept = now
	removed, err := p.store.Sweep(ctx, now.Add(-p.keepParts))
	if err != nil {
		p.failed(ctx, "Uploads that broke could not be removed", err)
	}
	if removed > 0 {
		p.log.InfoContext(ctx, "Removed what was left of uploads that broke", "count", removed)
	}
}

func (p *Processor) count(outcome string) { p.processed.WithLabelValues(outcome).Inc() }

// failed is not told of work that was ended.
func (p *Processor) failed(ctx context.Context, message string, err error, args ...any) {
	if ctx.Err() != nil {
		return
	}
	p.count(outcomeFailed)
	p.log.ErrorContext(ctx, message, append(args, telemetry.KeyError, err)...)
}
