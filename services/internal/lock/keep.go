package lock

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"movieexample.com/fleet/services/internal/telemetry"
)

// retry is how long a process waits, ± 20 %, before it tries again to get a lock: after a crash of the holder the work
// rests for so long at most, beside what it takes to notice the crash.
const retry = 10 * time.Second

// keyLock is the log field with a lock's name.
const keyLock = "lock"

// Keeper does work under a lock whenever this process can have it.
type Keeper struct {
	locker Locker
	name   string
	log    *slog.Logger
	held   prometheus.Gauge

	failing bool // the last try was an error: one log line tells of it
}

// NewKeeper makes a keeper of the lock called name, and registers the gauge lock_held for it.
func NewKeeper(locker Locker, name string, log *slog.Logger, metrics prometheus.Registerer) *Keeper {
	k := &Keeper{
		locker: locker, name: name, log: log.With(keyLock, name),
		held: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "lock_held", Help: "1 if this process has the lock.", ConstLabels: prometheus.Labels{"lock": name},
		}),
	}
	metrics.MustRegister(k.held)
	return k
}

// Run calls work each time the lock was got, until the context ends. Work that returns, with an error or without, is
// called again after a pause; so is work whose lock was lost, by whoever gets the lock then.
func (k *Keeper) Run(ctx context.Context, work Work) error {
	for ctx.Err() == nil {
		held, err := k.locker.Do(ctx, k.name, k.announced(work))
		k.report(ctx, held, err)
		pause(ctx, time.Duration(float64(retry)*(0.8+0.4*rand.Float64()))) //nolint:gosec // jitter
	}
	return nil
}

func (k *Keeper) announced(work Work) Work {
	return func(ctx context.Context, index uint64) error {
		k.log.InfoContext(ctx, "Got the lock", "index", index)
		k.held.Set(1)
		defer k.held.Set(0)
		return work(ctx, index)
	}
}

func (k *Keeper) report(ctx context.Context, held bool, err error) {
	switch {
	case err == nil || ctx.Err() != nil:
		k.failing = false
	case errors.Is(err, ErrLost):
		k.log.WarnContext(ctx, "Lost the lock: the work was ended, and is begun again by whoever gets the lock", telemetry.KeyError, err)
	case held:
		k.log.ErrorContext(ctx, "The work under the lock failed, and is begun again", telemetry.KeyError, err)
	case !k.failing:
		k.failing = true
		k.log.WarnContext(ctx, "The lock cannot be had now: the work rests", telemetry.KeyError, err)
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
