package cache_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"movieexample.com/fleet/services/internal/cache"
	"movieexample.com/fleet/services/internal/problem"
)

const (
	ttl     = 5 * time.Second
	missing = time.Second
)

func notFound(key string) error { return problem.NewNotFound("there is no %q", key) }

// fixture is a cache before a store that counts how often it is read.
type fixture struct {
	*cache.Cache[string]

	registry *prometheus.Registry
	reads    atomic.Int64
	value    string
	err      error
}

func newFixture(t testing.TB, size int) *fixture {
	t.Helper()
	f := &fixture{registry: prometheus.NewRegistry(), value: "v1"}
	c, err := cache.New(cache.Options[string]{
		Name: "metadata", Size: size, TTL: ttl, Missing: missing, NotFound: notFound,
		Metrics: cache.NewMetrics(f.registry), Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	f.Cache = c
	return f
}

func (f *fixture) read(context.Context) (string, error) {
	f.reads.Add(1)
	return f.value, f.err
}

func (f *fixture) want(t *testing.T, key, want string, wantErr error, reads int64) {
	t.Helper()
	got, err := f.One(t.Context(), key, f.read)
	if got != want || fmt.Sprint(err) != fmt.Sprint(wantErr) || f.reads.Load() != reads {
		t.Errorf("One(%s) = %q, %v after %d reads, want %q, %v after %d", key, got, err, f.reads.Load(), want, wantErr, reads)
	}
}

func TestOneIsReadOnceUntilItExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 10)
		f.want(t, "a", "v1", nil, 1)
		f.value = "v2"
		time.Sleep(ttl - time.Nanosecond)
		f.want(t, "a", "v1", nil, 1)
		time.Sleep(time.Nanosecond)
		f.want(t, "a", "v2", nil, 2)
		expected := `
			# HELP cache_requests_total Values asked of a cache: it had them, did not, or could not be asked.
			# TYPE cache_requests_total counter
			cache_requests_total{cache="metadata",outcome="hit"} 1
			cache_requests_total{cache="metadata",outcome="miss"} 2
		`
		if err := testutil.GatherAndCompare(f.registry, strings.NewReader(expected)); err != nil {
			t.Error(err)
		}
	})
}

func TestMissingIsKnownForASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 10)
		f.value, f.err = "", notFound("a")
		f.want(t, "a", "", f.err, 1)
		time.Sleep(missing - time.Nanosecond)
		f.want(t, "a", "", f.err, 1)
		f.value, f.err = "v1", nil
		time.Sleep(time.Nanosecond)
		f.want(t, "a", "v1", nil, 2)
	})
}

func TestFailuresAreNotKept(t *testing.T) {
	f := newFixture(t, 10)
	f.value, f.err = "", problem.NewUnavailable(nil, "away")
	f.want(t, "a", "", f.err, 1)
	f.want(t, "a", "", f.err, 2)
	f.value, f.err = "v1", nil
	f.want(t, "a", "v1", nil, 3)
}

func TestDrop(t *testing.T) {
	f := newFixture(t, 10)
	f.want(t, "a", "v1", nil, 1)
	f.value = "v2"
	f.Drop("a")
	f.want(t, "a", "v2", nil, 2)
}

// A read that began before the drop may bring what was there before it: it must not stay, and who asks after the drop
// must not get it.
func TestDropDuringARead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 10)
		old := make(chan struct{})
		go func() {
			got, err := f.One(t.Context(), "a", func(context.Context) (string, error) { <-old; return "old", nil })
			if got != "old" || err != nil {
				t.Errorf("One before the drop = %q, %v, want what it began to read", got, err)
			}
		}()
		go func() {
			read := func(context.Context, []string) (map[string]string, error) {
				<-old
				return map[string]string{"b": "old"}, nil
			}
			if _, err := f.Many(t.Context(), []string{"b"}, read); err != nil {
				t.Error(err)
			}
		}()
		synctest.Wait()
		f.Drop("a")
		f.Drop("b")
		f.want(t, "a", "v1", nil, 1)
		close(old)
		synctest.Wait()
		f.want(t, "a", "v1", nil, 1)
		f.want(t, "b", "v1", nil, 2)
	})
}

func TestOneReadForAThousandAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 10)
		slow := func(ctx context.Context) (string, error) { time.Sleep(time.Second); return f.read(ctx) }
		var wait sync.WaitGroup
		for range 1000 {
			wait.Go(func() {
				if got, err := f.One(t.Context(), "a", slow); got != "v1" || err != nil {
					t.Errorf("One = %q, %v, want v1", got, err)
				}
			})
		}
		wait.Wait()
		if got := f.reads.Load(); got != 1 {
			t.Errorf("%d reads for a thousand at once, want 1", got)
		}
	})
}

func TestOneWhoGivesUpEndsNobodysRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 10)
		slow := func(ctx context.Context) (string, error) {
			select {
			case <-time.After(time.Second):
				return f.read(ctx)
			case <-ctx.Done():
				return "", ctx.Err()
			}
		}
		impatient, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		began := time.Now()
		if _, err := f.One(impatient, "a", slow); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Millisecond {
			t.Errorf("One of the impatient = %v after %v, want its own deadline", err, time.Since(began))
		}
		if got, err := f.One(t.Context(), "a", slow); got != "v1" || err != nil || f.reads.Load() != 1 {
			t.Errorf("One of the patient = %q, %v after %d reads, want v1 of the same read", got, err, f.reads.Load())
		}
	})
}

func TestAReadIsBoundedForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 10)
		_, err := f.One(t.Context(), "a", func(ctx context.Context) (string, error) { <-ctx.Done(); return "", ctx.Err() })
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("One of a store that hangs = %v, want its end", err)
		}
	})
}

func TestAPanicIsAnError(t *testing.T) {
	f := newFixture(t, 10)
	_, err := f.One(t.Context(), "a", func(context.Context) (string, error) { panic("lost its way") })
	if err == nil || !strings.Contains(err.Error(), "lost its way") {
		t.Errorf("One = %v, want the panic as an error", err)
	}
	f.want(t, "a", "v1", nil, 1)
}

func TestMany(t *testing.T) {
	f := newFixture(t, 10)
	var asked [][]string
	read := func(_ context.Context, keys []string) (map[string]string, error) {
		asked = append(asked, keys)
		return map[string]string{"a": "v1", "b": "v1"}, f.err
	}
	for range 2 {
		got, err := f.Many(t.Context(), []string{"a", "b", "none"}, read)
		if diff := cmp.Diff(map[string]string{"a": "v1", "b": "v1"}, got); err != nil || diff != "" {
			t.Errorf("Many = %v (-want +got):\n%s", err, diff)
		}
	}
	if diff := cmp.Diff([][]string{{"a", "b", "none"}}, asked); diff != "" {
		t.Errorf("reads (-want +got):\n%s", diff)
	}
	f.want(t, "a", "v1", nil, 0)
	f.want(t, "none", "", notFound("none"), 0)
	f.err = errors.New("away")
	if got, err := f.Many(t.Context(), []string{"a", "c"}, read); !errors.Is(err, f.err) {
		t.Errorf("Many = %v, %v, want the store's error", got, err)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	f := newFixture(t, 2)
	for i, key := range []string{"a", "b", "c", "a"} {
		f.want(t, key, "v1", nil, int64(i+1)) // the last a had made room
	}
}

func BenchmarkHit(b *testing.B) {
	f := newFixture(b, 10)
	ctx := b.Context()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := f.One(ctx, "a", f.read); err != nil {
				b.Fatal(err)
			}
		}
	})
}
