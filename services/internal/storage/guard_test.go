package storage_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/prometheus/client_golang/prometheus"

	"movieexample.com/fleet/services/internal/breaker"
	"movieexample.com/fleet/services/internal/problem"
	"movieexample.com/fleet/services/internal/storage"
)

func newGuard() *storage.Guard {
	return storage.NewGuard(breaker.New("database", breaker.NewMetrics(prometheus.NewRegistry()), slog.New(slog.DiscardHandler)))
}

// database answers after a time, or when its caller gives up.
func database(after time.Duration, err error) func(context.Context) error {
	return func(ctx context.Context) error {
		select {
		case <-time.After(after):
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func TestGuardOpens(t *testing.T) {
	odd := errors.New("syntax error")
	for name, c := range map[string]struct {
		call  func(context.Context) error
		limit time.Duration // the callers' patience
		opens bool
	}{
		"refused":           {database(time.Millisecond, mysql.ErrInvalidConn), time.Second, true},
		"hangs":             {database(time.Hour, nil), time.Second, true},
		"well":              {database(time.Millisecond, nil), time.Second, false},
		"not there":         {database(time.Millisecond, problem.NewNotFound("no movie")), time.Second, false},
		"answers strangely": {database(time.Millisecond, odd), time.Second, false},
		"impatient callers": {database(time.Hour, nil), 20 * time.Millisecond, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGuard()
				made := 0
				for began := time.Now(); time.Since(began) < 5*time.Second; time.Sleep(10 * time.Millisecond) {
					ctx, cancel := context.WithTimeout(t.Context(), c.limit)
					err := g.Do(ctx, func(ctx context.Context) error { made++; return c.call(ctx) })
					cancel()
					if errors.Is(err, breaker.ErrOpen) {
						if !c.opens || problem.KindOf(err) != problem.Unavailable {
							t.Errorf("Do = %v after %d calls, want the call made, or Unavailable", err, made)
						}
						return
					}
				}
				if c.opens {
					t.Errorf("the guard never opened in %d calls", made)
				}
			})
		})
	}
}

func TestGuardPassesTheCallerGone(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := newGuard().Do(ctx, database(time.Hour, nil)); !errors.Is(err, context.Canceled) {
		t.Errorf("Do = %v, want that the caller is gone", err)
	}
}
