package breaker_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"movieexample.com/fleet/services/internal/breaker"
)

func newBreaker() *breaker.Breaker {
	return breaker.New("rating", breaker.NewMetrics(prometheus.NewRegistry()), slog.New(slog.DiscardHandler))
}

// call takes so long and ends so; it tells whether it was made.
func call(b *breaker.Breaker, part string, took time.Duration, o breaker.Outcome) bool {
	pass, err := b.Allow()
	if err != nil {
		return false
	}
	time.Sleep(took)
	pass.Done(part, o)
	return true
}

// A caller with one call at a time must not wait for a dead dependency for longer than a second in all.
func TestDeadDependencyIsNotCalledAfterASecond(t *testing.T) {
	for name, tc := range map[string]struct {
		part string
		took time.Duration
	}{
		"refuses at once":          {"", time.Millisecond},
		"refuses, with retries":    {"", 80 * time.Millisecond},
		"answers only failures":    {"v1", 5 * time.Millisecond},
		"swallows what it is sent": {"v1", 500 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBreaker()
				for range 5000 { // a busy past: its good calls must not hide the death
					call(b, "v1", time.Millisecond, breaker.Good)
				}
				began := time.Now()
				for call(b, tc.part, tc.took, breaker.Failed) {
				}
				if after := time.Since(began); after > time.Second {
					t.Errorf("the breaker opened after %s, want at most 1s", after)
				}
			})
		})
	}
}

func TestABlipDoesNotOpenIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker()
		for range 1000 {
			call(b, "v1", time.Millisecond, breaker.Good)
		}
		for range 100 { // one connection breaks, with all calls on it
			if !call(b, "v1", 0, breaker.Failed) {
				t.Fatal("the breaker opened at failures that all came within a moment")
			}
		}
	})
}

// All callers of the moment hang at one sick instance; those that follow go to others.
func TestCallsThatHangSideBySideDoNotOpenIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker()
		for range 5 {
			var wait sync.WaitGroup
			for range 8 {
				wait.Go(func() { call(b, "v1", 600*time.Millisecond, breaker.Failed) })
			}
			wait.Wait()
			if !call(b, "v1", time.Millisecond, breaker.Good) {
				t.Fatal("the breaker opened, though every other call would go well")
			}
			for range 16 {
				call(b, "v1", time.Millisecond, breaker.Good)
			}
		}
	})
}

// A canary with a tenth of the calls that fails every one of them must keep getting them: at any rate of calls, failing
// at once or only when the caller's patience ends.
func TestABadCanaryDoesNotOpenIt(t *testing.T) {
	for _, perSecond := range []int{1, 4, 100} {
		for _, took := range []time.Duration{0, 500 * time.Millisecond} {
			t.Run(fmt.Sprintf("%d calls a second, failing after %s", perSecond, took), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b := newBreaker()
					random := rand.New(rand.NewPCG(1, 2)) // a fixed seed: the test always says the same
					for range 20_000 {
						part, o, wait := "stable", breaker.Good, time.Duration(0)
						if random.IntN(10) == 0 {
							part, o, wait = "canary", breaker.Failed, took
						}
						if !call(b, part, wait, o) {
							t.Fatal("the breaker opened: the canary's verdict gets no calls any more")
						}
						time.Sleep(time.Second / time.Duration(perSecond))
					}
				})
			})
		}
	}
}

func TestACanaryThatIsWellDoesNotKeepADeadStableOneCalled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker()
		began := time.Now()
		for i := 0; ; i++ {
			part, o := "stable", breaker.Failed
			if i%20 == 0 {
				part, o = "canary", breaker.Good
			}
			if !call(b, part, 10*time.Millisecond, o) {
				break
			}
			if time.Since(began) > 10*time.Second {
				t.Fatal("after 10 s with 95 % failures: still called")
			}
		}
	})
}

func TestCallersMistakesAndImpatienceAreNoFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker()
		for range 100 {
			if !call(b, "v1", 100*time.Millisecond, breaker.Unknown) {
				t.Fatal("the breaker opened at calls that nothing was learnt from")
			}
		}
	})
}

func opened(t *testing.T) *breaker.Breaker {
	t.Helper()
	b := newBreaker()
	for call(b, "", 100*time.Millisecond, breaker.Failed) {
	}
	return b
}

func TestHalfOpenLetsOneCallThrough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := opened(t)
		time.Sleep(1100 * time.Millisecond)
		probe, err := b.Allow()
		if err != nil || !probe.Probe {
			t.Fatalf("Allow() after a second = %+v, %v, want one call to try it", probe, err)
		}
		if _, err := b.Allow(); !errors.Is(err, breaker.ErrOpen) {
			t.Errorf("Allow() beside the trial = %v, want %v", err, breaker.ErrOpen)
		}
		probe.Done("v1", breaker.Unknown)
		again, err := b.Allow()
		if err != nil || !again.Probe {
			t.Fatalf("Allow() after a trial that told nothing = %+v, %v, want another trial", again, err)
		}
		again.Done("v1", breaker.Failed)
		if _, err := b.Allow(); !errors.Is(err, breaker.ErrOpen) {
			t.Errorf("Allow() after a trial that failed = %v, want %v", err, breaker.ErrOpen)
		}
		time.Sleep(1100 * time.Millisecond)
		for i := range 3 {
			if !call(b, "v1", 0, breaker.Good) {
				t.Errorf("call %d of a dependency that is back was not made", i)
			}
		}
	})
}

func TestWhatPeopleSee(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry, log := prometheus.NewRegistry(), &bytes.Buffer{}
		b := breaker.New("rating", breaker.NewMetrics(registry), slog.New(slog.NewTextHandler(log, nil)))
		for call(b, "", 100*time.Millisecond, breaker.Failed) {
		}
		want := `
# HELP breaker_rejected_total Calls that were not made because the dependency answers nothing but failures.
# TYPE breaker_rejected_total counter
breaker_rejected_total{dependency="rating"} 1
# HELP breaker_state Whether the dependency is called: 0 yes, 1 one call to try it, 2 no.
# TYPE breaker_state gauge
breaker_state{dependency="rating"} 2
`
		if err := testutil.GatherAndCompare(registry, strings.NewReader(want)); err != nil {
			t.Error(err)
		}
		for range 3 {
			time.Sleep(1100 * time.Millisecond)
			call(b, "", 0, breaker.Failed)
		}
		time.Sleep(1100 * time.Millisecond)
		call(b, "", 0, breaker.Good)
		if lines := strings.Count(log.String(), "\n"); lines != 2 || !strings.Contains(log.String(), "Calling again") {
			t.Errorf("log = %s, want one line for the end of calls and one for their return", log)
		}
	})
}

func BenchmarkOpen(b *testing.B) {
	guard := newBreaker()
	for call(guard, "", 300*time.Millisecond, breaker.Failed) {
	}
	b.ReportAllocs()
	for b.Loop() {
		if pass, err := guard.Allow(); err == nil {
			pass.Done("", breaker.Failed)
		}
	}
}

func BenchmarkClosed(b *testing.B) {
	guard := newBreaker()
	b.ReportAllocs()
	for b.Loop() {
		pass, err := guard.Allow()
		if err != nil {
			b.Fatal(err)
		}
		pass.Done("v1", breaker.Good)
	}
}
