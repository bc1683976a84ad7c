package lastknown_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"movieexample.com/fleet/services/internal/lastknown"
	"movieexample.com/fleet/services/internal/problem"
)

type rating struct {
	mean  int
	stale bool
}

func markStale(r rating) rating {
	r.stale = true
	return r
}

// fixture is a dependency that answers as the test sets it, and the fallback for it.
type fixture struct {
	*lastknown.Fallback[int, rating]

	value    rating
	all      map[int]rating
	err      error
	registry *prometheus.Registry
	log      *bytes.Buffer
	now      time.Time
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{registry: prometheus.NewRegistry(), log: &bytes.Buffer{}, now: time.Unix(0, 0)}
	fallback, err := lastknown.New[int](lastknown.Options{
		Dependency: "rating", Metrics: lastknown.NewMetrics(f.registry),
		Log: slog.New(slog.NewTextHandler(f.log, nil)), Now: func() time.Time { return f.now },
	}, markStale)
	if err != nil {
		t.Fatal(err)
	}
	f.Fallback = fallback
	return f
}

func (f *fixture) get(context.Context) (rating, error)            { return f.value, f.err }
func (f *fixture) getAll(context.Context) (map[int]rating, error) { return f.all, f.err }

var (
	four    = rating{mean: 4}
	missing = problem.NewNotFound("nobody has rated it")
	away    = problem.NewUnavailable(errors.New("refused"), "ratings cannot be had now")
)

func (f *fixture) want(t *testing.T, key int, want rating, wantErr error) {
	t.Helper()
	got, err := f.One(t.Context(), key, f.get)
	if got != want || !errors.Is(err, wantErr) {
		t.Errorf("One(%d) = %v, %v, want %v, %v", key, got, err, want, wantErr)
	}
}

func (f *fixture) wantMany(t *testing.T, keys []int, want map[int]rating, wantErr error) {
	t.Helper()
	got, err := f.Many(t.Context(), keys, f.getAll)
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(rating{})); diff != "" || !errors.Is(err, wantErr) {
		t.Errorf("Many(%v) = %v, want %v (-want +got):\n%s", keys, err, wantErr, diff)
	}
}

func (f *fixture) wantCounted(t *testing.T, lastKnown, none string) {
	t.Helper()
	expected := `
		# HELP fallbacks_total Failed calls to a dependency, by what was answered instead: its last known value, or none.
		# TYPE fallbacks_total counter
		fallbacks_total{answer="last_known",dependency="rating"} ` + lastKnown + `
		fallbacks_total{answer="none",dependency="rating"} ` + none + "\n"
	if err := testutil.GatherAndCompare(f.registry, strings.NewReader(expected)); err != nil {
		t.Error(err)
	}
}

func TestOne(t *testing.T) {
	f := newFixture(t)
	f.value = four
	f.want(t, 1, four, nil)
	f.value, f.err = rating{}, away
	f.want(t, 1, rating{mean: 4, stale: true}, nil)
	f.want(t, 2, rating{}, away)
	f.err = missing
	f.want(t, 1, rating{}, missing)
	f.err = away
	f.want(t, 1, rating{}, away) // it had said that there is none
	f.value, f.err = four, nil
	f.want(t, 1, four, nil) // recovered: not stale
	f.wantCounted(t, "1", "2")
}

func TestMany(t *testing.T) {
	f := newFixture(t)
	f.all = map[int]rating{1: four, 2: four}
	f.wantMany(t, []int{1, 2, 3}, f.all, nil)
	f.all, f.err = nil, away
	f.wantMany(t, []int{2, 1}, map[int]rating{1: {4, true}, 2: {4, true}}, nil)
	f.wantMany(t, []int{1, 3}, nil, away) // whether 3 has one now, nobody can say
	f.all, f.err = map[int]rating{2: four}, nil
	f.wantMany(t, []int{1, 2}, f.all, nil)
	f.err = away
	f.wantMany(t, []int{1}, nil, away) // it was not there any more
	f.wantCounted(t, "1", "2")
}

func TestSome(t *testing.T) {
	f := newFixture(t)
	want := func(keys []int, want map[int]rating) {
		t.Helper()
		if diff := cmp.Diff(want, f.Some(t.Context(), keys, f.getAll), cmp.AllowUnexported(rating{}), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("Some(%v) (-want +got):\n%s", keys, diff)
		}
	}
	f.all = map[int]rating{1: four, 2: four}
	want([]int{1, 2, 3}, f.all)
	f.all, f.err = nil, away
	want([]int{1, 3}, map[int]rating{1: {4, true}}) // whether 3 has one now, nobody can say
	want([]int{3}, nil)
	f.wantCounted(t, "1", "1")
}

func TestWhatWasWritten(t *testing.T) {
	f := newFixture(t)
	f.err = away
	f.Remember(1, four)
	f.want(t, 1, rating{mean: 4, stale: true}, nil)
	f.Forget(1)
	f.want(t, 1, rating{}, away)
}

func TestNoFallback(t *testing.T) {
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	invalid := problem.NewInvalid([]problem.Violation{{Field: "id"}})
	for name, c := range map[string]struct {
		ctx context.Context
		err error
	}{
		"caller gone": {gone, away},
		"bad request": {t.Context(), invalid},
		"too much":    {t.Context(), problem.NewExhausted(nil, "too large for one answer")},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.Remember(1, four)
			f.err = c.err
			_, one := f.One(c.ctx, 1, f.get)
			_, many := f.Many(c.ctx, []int{1}, f.getAll)
			if some := f.Some(c.ctx, []int{1}, f.getAll); len(some) != 0 {
				t.Errorf("Some = %v, want nothing", some)
			}
			if !errors.Is(one, c.err) || !errors.Is(many, c.err) || f.log.Len() != 0 {
				t.Errorf("One, Many = %v, %v, log %q, want %v and no log line", one, many, f.log, c.err)
			}
		})
	}
}

// A dependency that hangs leaves its caller the time to take what is known.
func TestADependencyThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.Remember(1, four)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		hang := func(ctx context.Context) (rating, error) { <-ctx.Done(); return rating{}, ctx.Err() }
		got, err := f.One(ctx, 1, hang)
		if err != nil || !got.stale || time.Since(began) != 900*time.Millisecond {
			t.Errorf("One = %v, %v after %v of the caller's second, want a stale value after 900 ms", got, err, time.Since(began))
		}
		hangAll := func(ctx context.Context) (map[int]rating, error) { <-ctx.Done(); return nil, ctx.Err() }
		all, err := f.Many(ctx, []int{1}, hangAll)
		if err != nil || !all[1].stale || ctx.Err() != nil {
			t.Errorf("Many = %v, %v, want stale values before the caller's second is over", all, err)
		}
	})
}

func TestLogIsBounded(t *testing.T) {
	f := newFixture(t)
	f.err = away
	for range 100 {
		f.want(t, 1, rating{}, away)
	}
	if lines := strings.Count(f.log.String(), "\n"); lines != 1 {
		t.Errorf("%d log lines for 100 fallbacks at once, want 1:\n%s", lines, f.log)
	}
	f.log.Reset()
	f.now = f.now.Add(10 * time.Second)
	f.want(t, 1, rating{}, away)
	for _, part := range []string{"dependency=rating", "answer=none", "refused", "not_logged_before=99"} {
		if !strings.Contains(f.log.String(), part) {
			t.Errorf("log = %s, want %s", f.log, part)
		}
	}
}

func TestMemoryIsBounded(t *testing.T) {
	f := newFixture(t)
	for i := range 10_001 {
		f.Remember(i, four)
	}
	f.err = away
	f.want(t, 0, rating{}, away) // the one used longest ago made room
	f.want(t, 1, rating{mean: 4, stale: true}, nil)
}
