package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"sync"
	"time"
)

// ErrForced means that a second signal ended the stop before it was done.
var ErrForced = errors.New("a second signal ended the stop at once")

// Runner owns a service's goroutines and the order in which its parts end.
type Runner struct {
	log    *slog.Logger
	ctx    context.Context // the life of the workers, which the runner owns
	cancel context.CancelFunc
	wait   sync.WaitGroup
	failed chan error
	stops  []stop
}

type stop struct {
	name  string
	limit time.Duration
	run   func(context.Context) error
}

// NewRunner makes a runner. The context's values reach the workers, but not its end: workers end when the stop comes to
// them, after all steps.
func NewRunner(ctx context.Context, log *slog.Logger) *Runner {
	r := &Runner{log: log, failed: make(chan error, 1)}
	r.ctx, r.cancel = context.WithCancel(context.WithoutCancel(ctx))
	return r
}

// Go runs a worker until it returns or its context ends. A worker that fails or panics ends the service in order.
func (r *Runner) Go(name string, worker func(context.Context) error) {
	r.wait.Go(func() {
		err := guard(func() error { return worker(r.ctx) })
		if err == nil || r.ctx.Err() != nil {
			return
		}
		select {
		case r.failed <- fmt.Errorf("%s: %w", name, err):
		default: // another worker's failure ends the service already
		}
	})
}

// guard turns a panic into an error with the stack in it.
func guard(run func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return run()
}

// OnStop adds a step to the stop. Steps run one after another in the order they were added, each at most so long.
func (r *Runner) OnStop(name string, limit time.Duration, step func(context.Context) error) {
	r.stops = append(r.stops, stop{name: name, limit: limit, run: step})
}

// Run waits for a signal, for the end of the context or for a worker to fail, then stops everything in order.
// A second signal gives up at once with [ErrForced]; what then still runs ends with the process.
func (r *Runner) Run(ctx context.Context, signals <-chan os.Signal) error {
	var cause error
	select {
	case s := <-signals:
		r.log.InfoContext(ctx, "Stopping", "cause", s.String())
	case <-ctx.Done():
		r.log.InfoContext(ctx, "Stopping", "cause", context.Cause(ctx).Error())
	case cause = <-r.failed:
		r.log.ErrorContext(ctx, "Stopping because a worker failed", "error", cause)
	}
	done := make(chan error, 1)
	go func() { done <- r.stopAll(context.WithoutCancel(ctx)) }()
	select {
	case err := <-done:
		return errors.Join(cause, err)
	case s := <-signals:
		r.log.WarnContext(ctx, "Ending at once", "cause", s.String())
		return errors.Join(cause, ErrForced)
	}
}

func (r *Runner) stopAll(ctx context.Context) error {
	var errs []error
	for _, s := range r.stops {
		errs = append(errs, r.stopOne(ctx, s))
	}
	r.cancel()
	r.wait.Wait()
	r.log.InfoContext(ctx, "Stopped")
	return errors.Join(errs...)
}

func (r *Runner) stopOne(ctx context.Context, s stop) error {
	ctx, cancel := context.WithTimeout(ctx, s.limit)
	defer cancel()
	began := time.Now()
	err := guard(func() error { return s.run(ctx) })
	if err != nil {
		return fmt.Errorf("stopping %s: %w", s.name, err)
	}
	r.log.DebugContext(ctx, "Stopped a part", "component", s.name, "duration", time.Since(began))
	return nil
}
