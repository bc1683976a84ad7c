package locktest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"movieexample.com/fleet/services/internal/lock"
)

// Run tests what makes, for each test, two lockers of the same locks, as two processes have them.
func Run(t *testing.T, pair func(t *testing.T) (a, b lock.Locker)) {
	for name, test := range map[string]func(*testing.T, lock.Locker, lock.Locker){
		"one has it":               oneHasIt,
		"names are apart":          namesAreApart,
		"many at once":             manyAtOnce,
		"what work returns":        whatWorkReturns,
		"a panic frees it":         aPanicFreesIt,
		"an end of the context":    anEndOfTheContext,
		"no lock without a caller": noLockWithoutACaller,
	} {
		t.Run(name, func(t *testing.T) {
			a, b := pair(t)
			test(t, a, b)
		})
	}
}

const name = "processor/0"

// hold gets the lock and fails the test if it cannot.
func hold(t *testing.T, l lock.Locker, work func(index uint64)) {
	t.Helper()
	held, err := l.Do(t.Context(), name, func(_ context.Context, index uint64) error { work(index); return nil })
	if !held || err != nil {
		t.Fatalf("Do of a free lock = %v, %v, want true and no error", held, err)
	}
}

func refused(t *testing.T, l lock.Locker) {
	t.Helper()
	held, err := l.Do(t.Context(), name, func(context.Context, uint64) error {
		t.Error("the work was called while another had the lock")
		return nil
	})
	if held || err != nil {
		t.Errorf("Do of another's lock = %v, %v, want false and no error", held, err)
	}
}

func oneHasIt(t *testing.T, a, b lock.Locker) {
	var first, second uint64
	hold(t, a, func(index uint64) {
		first = index
		refused(t, b)
		refused(t, a) // nor does its holder get it twice
	})
	hold(t, b, func(index uint64) { second = index; refused(t, a) })
	if first == 0 || second <= first {
		t.Errorf("indexes = %d, then %d, want above 0 and growing", first, second)
	}
}

func namesAreApart(t *testing.T, a, b lock.Locker) {
	hold(t, a, func(uint64) {
		held, err := b.Do(t.Context(), "relay", func(context.Context, uint64) error { return nil })
		if !held || err != nil {
			t.Errorf("Do of another lock = %v, %v, want true", held, err)
		}
	})
}

func manyAtOnce(t *testing.T, a, b lock.Locker) {
	var inside, got atomic.Int64
	var wait sync.WaitGroup
	for i := range 8 {
		l := []lock.Locker{a, b}[i%2]
		wait.Go(func() {
			for held := false; !held; {
				var err error
				held, err = l.Do(t.Context(), name, func(context.Context, uint64) error {
					if n := inside.Add(1); n != 1 {
						t.Errorf("%d have the lock, want 1", n)
					}
					time.Sleep(time.Millisecond) // time to be found inside
					inside.Add(-1)
					got.Add(1)
					return nil
				})
				if err != nil {
					t.Errorf("Do = %v, want no error", err)
					return
				}
			}
		})
	}
	wait.Wait()
	if got.Load() != 8 {
		t.Errorf("%d did their work, want 8", got.Load())
	}
}

func whatWorkReturns(t *testing.T, a, b lock.Locker) {
	failure := errors.New("no disk")
	held, err := a.Do(t.Context(), name, func(context.Context, uint64) error { return failure })
	if !held || !errors.Is(err, failure) || errors.Is(err, lock.ErrLost) {
		t.Errorf("Do = %v, %v, want true and the error of the work", held, err)
	}
	hold(t, b, func(uint64) {})
}

func aPanicFreesIt(t *testing.T, a, b lock.Locker) {
	func() {
		defer func() { _ = recover() }()
		_, _ = a.Do(t.Context(), name, func(context.Context, uint64) error { panic("boom") })
		t.Error("the panic was swallowed")
	}()
	hold(t, b, func(uint64) {})
}

func anEndOfTheContext(t *testing.T, a, b lock.Locker) {
	ctx, cancel := context.WithCancel(t.Context())
	held, err := a.Do(ctx, name, func(ctx context.Context, _ uint64) error {
		cancel()
		<-ctx.Done()
		return ctx.Err()
	})
	if !held || !errors.Is(err, context.Canceled) || errors.Is(err, lock.ErrLost) {
		t.Errorf("Do = %v, %v, want true and that the context ended", held, err)
	}
	hold(t, b, func(uint64) {}) // it was given back all the same
}

func noLockWithoutACaller(t *testing.T, a, b lock.Locker) {
	hold(t, a, func(uint64) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if held, _ := b.Do(ctx, name, func(context.Context, uint64) error { return nil }); held {
			t.Error("Do with a context that has ended = true, want false")
		}
	})
}
