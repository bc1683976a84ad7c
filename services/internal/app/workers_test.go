package app

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
)

// A worker ends after the last call and before what it uses is closed.
func TestWorkersEndBeforeClose(t *testing.T) {
	var ended, closedAfter atomic.Bool
	p := program(fine, always())
	build := p.Build
	p.Build = func(ctx context.Context, env Env[settings]) (Service, error) {
		s, err := build(ctx, env)
		s.Workers = []Worker{{Name: "purge", Run: func(ctx context.Context) error {
			<-ctx.Done()
			ended.Store(true)
			return ctx.Err()
		}}}
		s.Close = func() error { closedAfter.Store(ended.Load()); return nil }
		return s, err
	}
	r := launch(t, p, "--shutdown.propagation", "0s")
	r.signals <- syscall.SIGTERM
	if code := <-r.exit; code != exitOK || !closedAfter.Load() {
		t.Errorf("exit = %d, worker ended before Close = %v, want 0 and true; stderr: %s", code, closedAfter.Load(), r.stderr)
	}
}

func TestAWorkerThatFailsEndsTheService(t *testing.T) {
	for name, run := range map[string]func(context.Context) error{
		"error": func(context.Context) error { return errors.New("lost its way") },
		"panic": func(context.Context) error { panic("lost its way") },
	} {
		t.Run(name, func(t *testing.T) {
			p := program(fine, always())
			build := p.Build
			begin := make(chan struct{})
			p.Build = func(ctx context.Context, env Env[settings]) (Service, error) {
				s, err := build(ctx, env)
				s.Workers = []Worker{{Name: "purge", Run: func(ctx context.Context) error { <-begin; return run(ctx) }}}
				return s, err
			}
			r := launch(t, p, "--shutdown.propagation", "0s")
			close(begin)
			if code := <-r.exit; code != exitFailed || !strings.Contains(r.stderr.String(), "lost its way") {
				t.Errorf("exit = %d, %s, want 1 and why", code, r.stderr)
			}
		})
	}
}
