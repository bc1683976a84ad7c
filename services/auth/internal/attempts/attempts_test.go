package attempts

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func begin(t *testing.T, l *Limiter, keys ...string) *Attempt {
	t.Helper()
	a, wait, err := l.Begin(t.Context(), keys...)
	if err != nil || a == nil {
		t.Fatalf("Begin(%v) = wait %s, %v, want an attempt", keys, wait, err)
	}
	return a
}

func wantWait(t *testing.T, l *Limiter, want time.Duration, keys ...string) {
	t.Helper()
	if a, wait, err := l.Begin(t.Context(), keys...); a != nil || err != nil || wait != want {
		t.Errorf("Begin(%v) = %v, wait %s, %v, want to wait %s", keys, a, wait, err, want)
	}
}

func TestFiveFailuresAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(time.Now)
		for range Most {
			begin(t, l, "user", "address").Failed()
			time.Sleep(10 * time.Second)
		}
		wantWait(t, l, 10*time.Second, "user", "address")
		wantWait(t, l, 10*time.Second, "user", "another address")
		wantWait(t, l, 10*time.Second, "another user", "address")
		begin(t, l, "another user", "another address").Over()
		time.Sleep(10 * time.Second) // the first failure is a minute old
		begin(t, l, "user", "address").Failed()
		wantWait(t, l, 10*time.Second, "user", "address")
		time.Sleep(time.Minute)
		for range Most { // all are healed
			begin(t, l, "user", "address").Failed()
		}
		wantWait(t, l, time.Minute, "user")
	})
}

func TestOnlyFailuresCount(t *testing.T) {
	l := New(time.Now)
	for range 100 {
		begin(t, l, "user").Over()
	}
	for range Most - 1 {
		begin(t, l, "user").Failed()
	}
	begin(t, l, "user").Over() // a good one heals nothing
	begin(t, l, "user").Failed()
	if _, wait, _ := l.Begin(t.Context(), "user"); wait <= 0 {
		t.Errorf("Begin after %d failures = wait %s, want more than nothing", Most, wait)
	}
}

// A hundred guesses at once: five are looked at, the others wait, and learn that it was enough.
func TestGuessesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(time.Now)
		var looked, refused int
		var mu sync.Mutex
		var group sync.WaitGroup
		for range 100 {
			group.Go(func() {
				a, wait, err := l.Begin(t.Context(), "user")
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				if wait > 0 {
					refused++
				} else {
					looked++
				}
				mu.Unlock()
				if a != nil {
					time.Sleep(time.Millisecond)
					a.Failed()
				}
			})
		}
		group.Wait()
		if looked != Most || refused != 100-Most {
			t.Errorf("of 100 guesses %d were looked at and %d refused, want %d and %d", looked, refused, Most, 100-Most)
		}
	})
}

// A hundred good logins at once: all get through, five at a time.
func TestGoodOnesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(time.Now)
		var group sync.WaitGroup
		for range 100 {
			group.Go(func() {
				a, wait, err := l.Begin(t.Context(), "user")
				if a == nil {
					t.Errorf("Begin = wait %s, %v, want an attempt", wait, err)
					return
				}
				time.Sleep(time.Millisecond)
				a.Over()
			})
		}
		group.Wait()
	})
}

func TestWhoWaitsMayLeave(t *testing.T) {
	l := New(time.Now)
	for range Most {
		begin(t, l, "user")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := l.Begin(ctx, "user"); !errors.Is(err, context.Canceled) {
		t.Errorf("Begin = %v, want %v", err, context.Canceled)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	l := newLimiter(time.Now, 3)
	first := begin(t, l, "0")
	for i := range 100 {
		begin(t, l, fmt.Sprint(i)).Failed()
	}
	first.Failed() // of a record that was pushed out
	if got := l.keys.Len(); got != 3 {
		t.Errorf("%d keys are kept, want 3", got)
	}
}
