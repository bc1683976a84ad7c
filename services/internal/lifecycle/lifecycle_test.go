package lifecycle_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"movieexample.com/fleet/services/internal/lifecycle"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func TestRunStopsInOrder(t *testing.T) {
	for name, cause := range map[string]func(cancel context.CancelFunc, signals chan os.Signal){
		"SIGTERM":        func(_ context.CancelFunc, signals chan os.Signal) { signals <- syscall.SIGTERM },
		"end of context": func(cancel context.CancelFunc, _ chan os.Signal) { cancel() },
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			signals := make(chan os.Signal, 1)
			r := lifecycle.NewRunner(ctx, quiet())
			var order []string
			r.Go("worker", func(ctx context.Context) error { <-ctx.Done(); order = append(order, "worker"); return nil })
			for _, step := range []string{"deregister", "drain", "database"} {
				r.OnStop(step, time.Second, func(context.Context) error { order = append(order, step); return nil })
			}
			cause(cancel, signals)
			if err := r.Run(ctx, signals); err != nil {
				t.Fatalf("Run() = %v, want no error", err)
			}
			want := []string{"deregister", "drain", "database", "worker"}
			if diff := cmp.Diff(want, order); diff != "" {
				t.Errorf("order of the stop (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRunStopsWhenAWorkerFails(t *testing.T) {
	for name, tc := range map[string]struct {
		worker func(context.Context) error
		want   string
	}{
		"an error": {func(context.Context) error { return errors.New("no disk") }, "consumer: no disk"},
		"a panic":  {func(context.Context) error { panic("boom") }, "consumer: panic: boom"},
	} {
		t.Run(name, func(t *testing.T) {
			r := lifecycle.NewRunner(t.Context(), quiet())
			stopped := false
			r.OnStop("database", time.Second, func(context.Context) error { stopped = true; return nil })
			r.Go("consumer", tc.worker)
			err := r.Run(t.Context(), make(chan os.Signal))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("Run() = %v, want an error that contains %q", err, tc.want)
			}
			if !stopped {
				t.Error("the stop did not run")
			}
		})
	}
}

func TestAStepThatHangsOrPanicsDoesNotKeepTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := lifecycle.NewRunner(t.Context(), quiet())
		var order []string
		r.OnStop("hang", 3*time.Second, func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
		r.OnStop("panic", time.Second, func(context.Context) error { panic("boom") })
		r.OnStop("last", time.Second, func(context.Context) error { order = append(order, "last"); return nil })
		signals := make(chan os.Signal, 1)
		signals <- syscall.SIGTERM
		began := time.Now()
		err := r.Run(t.Context(), signals)
		if err == nil || !strings.Contains(err.Error(), "stopping hang") || !strings.Contains(err.Error(), "stopping panic") {
			t.Errorf("Run() = %v, want the errors of both steps", err)
		}
		if took := time.Since(began); took != 3*time.Second || len(order) != 1 {
			t.Errorf("the stop took %s and ran %v, want 3s and the last step", took, order)
		}
	})
}

func TestASecondSignalEndsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := lifecycle.NewRunner(t.Context(), quiet())
		r.OnStop("slow", time.Hour, func(ctx context.Context) error {
			select {
			case <-ctx.Done():
			case <-time.After(time.Minute):
			}
			return nil
		})
		signals := make(chan os.Signal, 1)
		signals <- syscall.SIGTERM
		go func() { time.Sleep(time.Second); signals <- syscall.SIGINT }()
		began := time.Now()
		if err := r.Run(t.Context(), signals); !errors.Is(err, lifecycle.ErrForced) {
			t.Errorf("Run() = %v, want %v", err, lifecycle.ErrForced)
		}
		if took := time.Since(began); took != time.Second {
			t.Errorf("Run() ended after %s, want 1s", took)
		}
		time.Sleep(time.Hour) // the abandoned step ends inside the bubble
	})
}

func TestReadiness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var there atomic.Bool
		r := lifecycle.NewReadiness(quiet(), []lifecycle.Check{
			{Name: "database", Run: func(context.Context) error {
				if there.Load() {
					return nil
				}
				return errors.New("the database is away")
			}},
			{Name: "schema", Run: func(context.Context) error { return nil }},
		})
		var turns []bool
		r.OnChange(func(ready bool) { turns = append(turns, ready) })
		if r.Ready() {
			t.Error("Ready() = true before the first check")
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- r.Run(ctx) }()

		time.Sleep(50 * time.Millisecond)
		want := lifecycle.State{Checks: []lifecycle.Result{{Name: "database", Problem: "the database is away"}, {Name: "schema"}}}
		if diff := cmp.Diff(want, r.State()); diff != "" {
			t.Errorf("State() (-want +got):\n%s", diff)
		}
		there.Store(true)
		time.Sleep(100 * time.Millisecond)
		if !r.Ready() {
			t.Error("Ready() = false 100 ms after the database came, want true: a start must not wait for a tick")
		}
		r.Drain()
		time.Sleep(3 * time.Second)
		if r.Ready() {
			t.Error("Ready() = true while draining, want false for good")
		}
		if diff := cmp.Diff([]bool{false, true, false}, turns); diff != "" {
			t.Errorf("turns (-want +got):\n%s", diff)
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run() = %v, want nil", err)
		}
	})
}

func TestACheckThatHangsOrPanicsIsAProblem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := lifecycle.NewReadiness(quiet(), []lifecycle.Check{
			{Name: "hang", Run: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }},
			{Name: "panic", Run: func(context.Context) error { panic("boom") }},
		})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- r.Run(ctx) }()
		time.Sleep(3 * time.Second)
		state := r.State()
		if state.Ready || state.Checks[0].Problem != "context deadline exceeded" || !strings.Contains(state.Checks[1].Problem, "boom") {
			t.Errorf("State() = %+v, want both as problems", state)
		}
		cancel()
		<-done
	})
}

// A dependency with a fallback must be there once, so that a service that was set up wrongly never gets calls; then its
// absence is shown and ends nothing.
func TestACheckWithAFallback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var away atomic.Bool
		r := lifecycle.NewReadiness(quiet(), []lifecycle.Check{{Name: "database", Fallback: true, Run: func(context.Context) error {
			if away.Load() {
				return errors.New("it is away")
			}
			return nil
		}}})
		away.Store(true)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- r.Run(ctx) }()
		want := func(ready bool, problem string) {
			t.Helper()
			time.Sleep(1500 * time.Millisecond)
			if got := r.State(); got.Ready != ready || got.Checks[0].Problem != problem {
				t.Errorf("State() = %+v, want ready = %v and problem %q", got, ready, problem)
			}
		}
		want(false, "it is away")
		away.Store(false)
		want(true, "")
		away.Store(true)
		want(true, "it is away")
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run() = %v, want nil", err)
		}
	})
}
