package lastknown_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"movieexample.com/fleet/services/internal/problem"
	"movieexample.com/fleet/services/movie/internal/gateway/lastknown"
	"movieexample.com/fleet/services/movie/internal/model"
)

// service answers as the test sets it.
type service struct {
	rating model.Rating
	err    error
}

func (s *service) Get(context.Context, string) (model.Rating, error) { return s.rating, s.err }

type fixture struct {
	*lastknown.Gateway[model.Rating]
	service  *service
	registry *prometheus.Registry
	log      *bytes.Buffer
	now      time.Time
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{service: &service{}, registry: prometheus.NewRegistry(), log: &bytes.Buffer{}, now: time.Unix(0, 0)}
	gateway, err := lastknown.New(f.service, model.Rating.MarkStale, "rating", lastknown.NewMetrics(f.registry),
		slog.New(slog.NewTextHandler(f.log, nil)), func() time.Time { return f.now })
	if err != nil {
		t.Fatal(err)
	}
	f.Gateway = gateway
	return f
}

var (
	four = model.Rating{Value: 4, Count: 2}
	away = problem.NewUnavailable(errors.New("refused"), "ratings cannot be had now")
)

func (f *fixture) want(t *testing.T, id string, want model.Rating, wantErr error) {
	t.Helper()
	got, err := f.Get(t.Context(), id)
	if got != want || !errors.Is(err, wantErr) {
		t.Errorf("Get(%s) = %v, %v, want %v, %v", id, got, err, want, wantErr)
	}
}

func TestFallback(t *testing.T) {
	f := newFixture(t)
	f.service.rating = four
	f.want(t, "1", four, nil)
	*f.service = service{err: away}
	f.want(t, "1", model.Rating{Value: 4, Count: 2, Stale: true}, nil)
	f.want(t, "2", model.Rating{}, away)
	*f.service = service{err: model.NoRating("1")}
	f.want(t, "1", model.Rating{}, f.service.err)
	*f.service = service{err: away}
	f.want(t, "1", model.Rating{}, away) // the service had said that there is none
	*f.service = service{rating: four}
	f.want(t, "1", four, nil) // recovered: not stale

	expected := `
		# HELP fallbacks_total Failed calls to a dependency, by what was answered instead: its last known value, or none.
		# TYPE fallbacks_total counter
		fallbacks_total{answer="last_known",dependency="rating"} 1
		fallbacks_total{answer="none",dependency="rating"} 2
	`
	if err := testutil.GatherAndCompare(f.registry, strings.NewReader(expected)); err != nil {
		t.Error(err)
	}
}

func TestCallerGoneIsNoFallback(t *testing.T) {
	f := newFixture(t)
	f.service.rating = four
	f.want(t, "1", four, nil)
	f.service.err = away
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.Get(ctx, "1"); !errors.Is(err, away) {
		t.Errorf("Get for a caller that is gone = %v, want the service's error", err)
	}
	if f.log.Len() != 0 {
		t.Errorf("log = %s, want none", f.log)
	}
}

func TestDeadlineIsAFallback(t *testing.T) {
	f := newFixture(t)
	f.service.rating = four
	f.want(t, "1", four, nil)
	f.service.err = away
	ctx, cancel := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancel()
	if got, err := f.Get(ctx, "1"); err != nil || !got.Stale {
		t.Errorf("Get of a service that is too slow = %v, %v, want a stale value", got, err)
	}
}

func TestLogIsBounded(t *testing.T) {
	f := newFixture(t)
	f.service.err = away
	for range 100 {
		f.want(t, "1", model.Rating{}, away)
	}
	if lines := strings.Count(f.log.String(), "\n"); lines != 1 {
		t.Errorf("%d log lines for 100 fallbacks at once, want 1:\n%s", lines, f.log)
	}
	f.log.Reset()
	f.now = f.now.Add(10 * time.Second)
	f.want(t, "1", model.Rating{}, away)
	for _, part := range []string{"dependency=rating", "answer=none", "refused", "not_logged_before=99"} {
		if !strings.Contains(f.log.String(), part) {
			t.Errorf("log = %s, want %s", f.log, part)
		}
	}
}

func TestMemoryIsBounded(t *testing.T) {
	f := newFixture(t)
	f.service.rating = four
	for i := range 10_001 {
		f.want(t, fmt.Sprint(i), four, nil)
	}
	f.service.rating, f.service.err = model.Rating{}, away
	f.want(t, "0", model.Rating{}, away) // the one used longest ago made room
	f.want(t, "1", model.Rating{Value: 4, Count: 2, Stale: true}, nil)
}
