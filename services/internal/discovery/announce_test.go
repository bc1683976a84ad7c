package discovery_test

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"movieexample.com/fleet/services/internal/discovery"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// announce runs an announcer for one instance of rating and returns it with the switch of its readiness.
func announce(t *testing.T, m *discovery.Memory) (a *discovery.Announcer, ready *atomic.Bool, end func()) {
	t.Helper()
	ready = &atomic.Bool{}
	instance := discovery.Instance{ID: "rating-1", Host: "10.0.0.1", Port: 8082, Revision: "v1"}
	a = discovery.NewAnnouncer(m, "rating", instance, ready.Load, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- a.Run(ctx) }()
	synctest.Wait()
	return a, ready, func() { cancel(); <-done }
}

// registered counts the healthy instances of rating.
func registered(t *testing.T, m *discovery.Memory) int {
	t.Helper()
	synctest.Wait()
	ctx, cancel := context.WithCancel(t.Context())
	count := 0
	m.Watch(ctx, "rating", func(s discovery.Snapshot, _ error) { count = len(s.Instances); cancel() })
	return count
}

func want(t *testing.T, m *discovery.Memory, count int, when string) {
	t.Helper()
	synctest.Wait() // whoever wakes at this moment has done what there is to do
	if got := registered(t, m); got != count {
		t.Errorf("%s: %d instances are registered, want %d", when, got, count)
	}
}

func TestAnnouncerFollowsReadiness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := discovery.NewMemory()
		a, ready, end := announce(t, m)
		defer end()
		want(t, m, 0, "before it is ready")
		ready.Store(true)
		a.Wake()
		want(t, m, 1, "at once when it is ready")
		ready.Store(false)
		time.Sleep(time.Second)
		want(t, m, 0, "a second after it ceased to be ready")
		ready.Store(true)
		time.Sleep(time.Second)
		want(t, m, 1, "a second after it is ready again")
		if err := a.Withdraw(t.Context()); err != nil {
			t.Fatalf("Withdraw() = %v", err)
		}
		time.Sleep(5 * time.Second)
		want(t, m, 0, "for good after it is withdrawn")
	})
}

func TestAnnouncerRegistersAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := discovery.NewMemory()
		m.SetFault(errors.New("connection refused"))
		_, ready, end := announce(t, m)
		defer end()
		ready.Store(true)
		time.Sleep(10 * time.Second)
		m.SetFault(nil)
		time.Sleep(time.Second)
		want(t, m, 1, "a second after a registry that was away at the start came back")
		m.Forget()
		time.Sleep(time.Second)
		want(t, m, 1, "a second after the registry forgot everything")
		m.SetFault(errors.New("connection refused"))
		time.Sleep(10 * time.Second)
		m.Forget()
		m.SetFault(nil)
		time.Sleep(time.Second)
		want(t, m, 1, "a second after the registry came back empty")
	})
}

func TestWithdrawWithoutARegistry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := discovery.NewMemory()
		a, _, end := announce(t, m)
		defer end()
		if err := a.Withdraw(t.Context()); err != nil {
			t.Errorf("Withdraw() of what was never registered = %v, want no error", err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		m := discovery.NewMemory()
		a, ready, end := announce(t, m)
		defer end()
		ready.Store(true)
		time.Sleep(time.Second)
		want(t, m, 1, "when it is ready")
		m.SetFault(errors.New("connection refused"))
		if err := a.Withdraw(t.Context()); err == nil {
			t.Error("Withdraw() while the registry is away = no error, want one")
		}
	})
}
