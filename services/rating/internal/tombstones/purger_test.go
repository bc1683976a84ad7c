package tombstones_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"movieexample.com/fleet/services/rating/internal/model"
	"movieexample.com/fleet/services/rating/internal/repository/memory"
	"movieexample.com/fleet/services/rating/internal/tombstones"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const week = 7 * 24 * time.Hour

// run has a purger work inside the bubble until the function it returns is called.
func run(t *testing.T, r tombstones.Repository) (registry *prometheus.Registry, log *bytes.Buffer, stop func()) {
	t.Helper()
	registry, log = prometheus.NewRegistry(), &bytes.Buffer{}
	p := tombstones.New(r, tombstones.Options{
		Retention: week, Now: time.Now, Metrics: registry, Log: slog.New(slog.NewTextHandler(log, nil)),
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	return registry, log, func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run = %v, want nil after its context ended", err)
		}
	}
}

func wantPurged(t *testing.T, registry *prometheus.Registry, want int) {
	t.Helper()
	text := fmt.Sprintf("# HELP tombstones_purged_total Deletions of ratings that this instance forgot, since no write that is older "+
		"can come any more.\n# TYPE tombstones_purged_total counter\ntombstones_purged_total %d\n", want)
	if err := testutil.GatherAndCompare(registry, strings.NewReader(text), "tombstones_purged_total"); err != nil {
		t.Error(err)
	}
}

// More than one batch is forgotten at once, and not before a week and the spare hour.
func TestTombstonesStayForTheRetention(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const users = 1203
		r := memory.New()
		for i := range users {
			key := model.Key{Record: model.Record{Type: "movie", ID: "tt1"}, UserID: fmt.Sprint(i)}
			if _, err := r.Write(t.Context(), model.Write{Key: key, Deleted: true, OccurredAt: time.Now()}, time.Now()); err != nil {
				t.Fatal(err)
			}
		}
		registry, _, stop := run(t, r)
		defer stop()
		time.Sleep(week + tombstones.Spare)
		synctest.Wait()
		wantPurged(t, registry, 0)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		wantPurged(t, registry, users)
	})
}

// flaky fails for as long as it is told to.
type flaky struct{ failing atomic.Bool }

func (f *flaky) Purge(context.Context, time.Time, int) (int, error) {
	if f.failing.Load() {
		return 0, errors.New("the database cannot be reached")
	}
	return 1, nil
}

func TestAFailureIsToldOnceAndHeals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &flaky{}
		f.failing.Store(true)
		registry, log, stop := run(t, f)
		time.Sleep(time.Hour + time.Second)
		synctest.Wait()
		f.failing.Store(false)
		time.Sleep(10 * time.Minute)
		f.failing.Store(true)
		time.Sleep(10 * time.Minute)
		stop()
		wantPurged(t, registry, 10)
		if got := strings.Count(log.String(), "cannot be removed now"); got != 2 {
			t.Errorf("log = %s with %d lines about it, want one for each of the two outages", log, got)
		}
	})
}
