//go:build integration

package consul

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"
	"go.uber.org/goleak"

	"movieexample.com/fleet/services/internal/lock"
	"movieexample.com/fleet/services/internal/lock/locktest"
	"movieexample.com/fleet/test/parts"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	name = "processor/0"
	key  = "locks/movies-movie/processor/0"
)

// locker is one process's; the lock-delay is short, so that tests need not wait for it.
func locker(t *testing.T, server *parts.Consul, holder string) *Locker {
	t.Helper()
	client := server.Client(t)
	l := New(func(_ context.Context, f func(*api.Client) error) error { return f(client) }, "movies-movie", holder)
	l.lockDelay = time.Millisecond
	return l
}

func TestConsulKeepsTheContract(t *testing.T) {
	server := parts.StartConsul(t)
	locktest.Run(t, func(t *testing.T) (a, b lock.Locker) {
		return locker(t, server, "pod-a"), locker(t, server, "pod-b")
	})
}

// lose holds a lock, does what loses it, and wants the work's context to end for that reason.
func lose(t *testing.T, l *Locker, how func(*api.KVPair)) {
	t.Helper()
	held, err := l.Do(t.Context(), name, func(ctx context.Context, _ uint64) error {
		pair, err := l.read(ctx, key)
		if err != nil || string(pair.Value) != "pod-a" {
			t.Errorf("%s = %v, %v, want the holder's name in it", key, pair, err)
			return err
		}
		how(pair)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(3 * ttl):
			t.Error("the work's context lives on without the lock")
			return nil
		}
	})
	if !held || !errors.Is(err, lock.ErrLost) || !errors.Is(err, context.Canceled) {
		t.Errorf("Do = %v, %v, want that the lock was lost", held, err)
	}
}

func TestLosingTheLockEndsTheWork(t *testing.T) {
	server := parts.StartConsul(t)
	client := server.Client(t)
	a, b := locker(t, server, "pod-a"), locker(t, server, "pod-b")
	for name, how := range map[string]func(*api.KVPair){
		"the session is destroyed": func(pair *api.KVPair) {
			if _, err := client.Session().Destroy(pair.Session, nil); err != nil {
				t.Error(err)
			}
		},
		"the key is removed": func(*api.KVPair) {
			if _, err := client.KV().Delete(key, nil); err != nil {
				t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) { lose(t, a, how) })
	}
	if held, err := b.Do(t.Context(), name, func(context.Context, uint64) error { return nil }); !held || err != nil {
		t.Errorf("Do of another after that = %v, %v, want true", held, err)
	}
}

func TestAnEmptiedConsulEndsTheWork(t *testing.T) {
	server := parts.StartConsul(t)
	a := locker(t, server, "pod-a")
	lose(t, a, func(*api.KVPair) { server.Stop(t); server.Start(t) })
	if held, err := a.Do(t.Context(), name, func(context.Context, uint64) error { return nil }); !held || err != nil {
		t.Errorf("Do after the restart = %v, %v, want true", held, err)
	}
}

func TestAConsulThatStaysAwayEndsTheWork(t *testing.T) {
	server := parts.StartConsul(t)
	a := locker(t, server, "pod-a")
	lose(t, a, func(*api.KVPair) { server.Stop(t) })
	held, err := a.Do(t.Context(), name, func(context.Context, uint64) error { return nil })
	if held || err == nil || !strings.Contains(err.Error(), key) {
		t.Errorf("Do without Consul = %v, %v, want false and an error that names the lock", held, err)
	}
}

func TestAHolderThatIsNotRenewedGivesWay(t *testing.T) {
	server := parts.StartConsul(t)
	a, b := locker(t, server, "pod-a"), locker(t, server, "pod-b")
	// As a process that was stopped: its session is there, and nobody renews it.
	stopped, err := a.take(t.Context(), key)
	if err != nil || stopped == nil {
		t.Fatalf("take = %v, %v, want the lock", stopped, err)
	}
	var index uint64
	for deadline := time.Now().Add(4 * ttl); index == 0 && time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if _, err := b.Do(t.Context(), name, func(_ context.Context, i uint64) error { index = i; return nil }); err != nil {
			t.Fatal(err)
		}
	}
	if index <= stopped.index {
		t.Errorf("index of the next holder = %d, want above %d", index, stopped.index)
	}
	if held, err := a.ours(t.Context(), stopped); held || err != nil {
		t.Errorf("the late holder has the lock = %v, %v, want false", held, err)
	}
}
