package lock_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"movieexample.com/fleet/services/internal/lock"
	"movieexample.com/fleet/services/internal/lock/locktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMemoryKeepsTheContract(t *testing.T) {
	locktest.Run(t, func(*testing.T) (a, b lock.Locker) { m := &lock.Memory{}; return m, m })
}

// scripted answers each try with the next outcome, and the last one for ever.
type scripted struct {
	outcomes []func(context.Context, lock.Work) (bool, error)
	at       []time.Time
}

func (s *scripted) Do(ctx context.Context, _ string, work lock.Work) (bool, error) {
	next := s.outcomes[min(len(s.at), len(s.outcomes)-1)]
	s.at = append(s.at, time.Now())
	return next(ctx, work)
}

func others(context.Context, lock.Work) (bool, error) { return false, nil }
func away(context.Context, lock.Work) (bool, error)   { return false, errors.New("consul is away") }
func ours(ctx context.Context, work lock.Work) (bool, error) {
	return true, work(ctx, 7)
}

func TestKeeperTriesAgain(t *testing.T) {
	failed := func(context.Context, lock.Work) (bool, error) { return true, errors.New("no disk") }
	lost := func(context.Context, lock.Work) (bool, error) { return true, lock.ErrLost }
	for name, tc := range map[string]struct {
		first  []func(context.Context, lock.Work) (bool, error)
		logged []string // each once, and nothing else
	}{
		"another has it": {[]func(context.Context, lock.Work) (bool, error){others, others}, nil},
		"consul is away": {[]func(context.Context, lock.Work) (bool, error){away, away, away}, []string{"The lock cannot be had now"}},
		"away twice":     {[]func(context.Context, lock.Work) (bool, error){away, others, away}, []string{"The lock cannot be had now", "The lock cannot be had now"}},
		"work fails":     {[]func(context.Context, lock.Work) (bool, error){failed}, []string{"The work under the lock failed"}},
		"lock lost":      {[]func(context.Context, lock.Work) (bool, error){lost}, []string{"Lost the lock"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log strings.Builder
				s := &scripted{outcomes: append(tc.first, ours)}
				k := lock.NewKeeper(s, "processor/0", slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn})), prometheus.NewRegistry())
				ctx, cancel := context.WithCancel(t.Context())
				var index uint64
				err := k.Run(ctx, func(_ context.Context, i uint64) error { index = i; cancel(); return nil })
				if err != nil || index != 7 {
					t.Errorf("Run = %v, index %d, want the work done with 7", err, index)
				}
				for i := 1; i < len(s.at); i++ {
					if wait := s.at[i].Sub(s.at[i-1]); wait < 8*time.Second || wait > 12*time.Second {
						t.Errorf("try %d came after %s, want 10 s ± 20 %%", i, wait)
					}
				}
				if got := strings.Count(log.String(), "\n"); got != len(tc.logged) {
					t.Errorf("log = %s, want %d lines", log.String(), len(tc.logged))
				}
				for _, want := range tc.logged {
					if !strings.Contains(log.String(), want) {
						t.Errorf("log = %s, want %q", log.String(), want)
					}
				}
			})
		})
	}
}

func TestKeeperShowsWhoHasTheLock(t *testing.T) {
	metrics := prometheus.NewRegistry()
	k := lock.NewKeeper(&lock.Memory{}, "processor/0", slog.New(slog.DiscardHandler), metrics)
	shows := func(value string) {
		t.Helper()
		want := "# HELP lock_held 1 if this process has the lock.\n# TYPE lock_held gauge\nlock_held{lock=\"processor/0\"} " + value + "\n"
		if err := testutil.GatherAndCompare(metrics, strings.NewReader(want), "lock_held"); err != nil {
			t.Error(err)
		}
	}
	shows("0")
	ctx, cancel := context.WithCancel(t.Context())
	if err := k.Run(ctx, func(context.Context, uint64) error { shows("1"); cancel(); return nil }); err != nil {
		t.Errorf("Run = %v", err)
	}
	shows("0")
}
