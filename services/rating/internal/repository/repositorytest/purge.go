package repositorytest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"movieexample.com/fleet/services/rating/internal/model"
)

// Store is a repository that keeps ratings itself, and so can forget.
type Store interface {
	Repository
	Purge(ctx context.Context, before time.Time, most int) (int, error)
}

// RunStore tests what Run does, and forgetting.
func RunStore(t *testing.T, makeNew func(t *testing.T) Store) {
	Run(t, func(t *testing.T) Repository { return makeNew(t) })
	for name, test := range map[string]func(*testing.T, Store){
		"tombstones are forgotten": tombstonesAreForgotten,
		"purged while written":     purgedWhileWritten,
	} {
		t.Run(name, func(t *testing.T) { test(t, makeNew(t)) })
	}
}

func purge(t *testing.T, r Store, before time.Time, most, want int) {
	t.Helper()
	if got, err := r.Purge(t.Context(), before, most); err != nil || got != want {
		t.Errorf("Purge(%s, %d) = %d, %v, want %d", before, most, got, err, want)
	}
}

// Old tombstones go, in parts; younger ones and ratings of any age stay, and no aggregate changes.
func tombstonesAreForgotten(t *testing.T, r Store) {
	for i := range 3 {
		user := fmt.Sprint("gone", i)
		write(t, r, put(user, 5, 0), start)
		write(t, r, remove(user, time.Second), start)
	}
	write(t, r, put("old", 4, -time.Hour), start)
	write(t, r, remove("young", time.Minute), start)
	before := start.Add(time.Minute)

	purge(t, r, start.Add(time.Second), 10, 0) // they occurred at that time, not before
	purge(t, r, before, 2, 2)
	purge(t, r, before, 2, 1)
	purge(t, r, before, 2, 0)
	wantAggregate(t, r, movie, model.Aggregate{Sum: 4, Count: 1})

	if got := write(t, r, put("young", 1, 0), start); got.Outcome != model.Stale {
		t.Errorf("write older than a tombstone that stayed = outcome %v, want stale", got.Outcome)
	}
	later := start.Add(time.Hour) // nothing is known of what was forgotten, which is why older writes must be refused before
	if got := write(t, r, put("gone0", 2, 0), later); got.Outcome != model.Applied || !got.Row.CreateTime.Equal(later) {
		t.Errorf("write older than a tombstone that was purged = %+v, want a first rating", got)
	}
	wantAggregate(t, r, movie, model.Aggregate{Sum: 6, Count: 2})
}

// Users rate, take back and rate again while tombstones are purged: each ends with the last rating, counted once.
func purgedWhileWritten(t *testing.T, r Store) {
	var want model.Aggregate
	lists := make([][]model.Write, writers)
	for i := range writers {
		user := fmt.Sprint("user", i)
		for round := range 5 {
			at := time.Duration(round) * time.Hour
			lists[i] = append(lists[i], put(user, 5, at), remove(user, at+time.Minute))
		}
		lists[i] = append(lists[i], put(user, i%5+1, 24*time.Hour))
		want = want.Plus(model.Aggregate{Sum: int64(i%5 + 1), Count: 1})
	}
	ctx, stop := context.WithCancel(t.Context())
	var purgers sync.WaitGroup
	for range 3 {
		purgers.Go(func() {
			for ctx.Err() == nil {
				if _, err := r.Purge(context.WithoutCancel(ctx), start.Add(12*time.Hour), 3); err != nil {
					t.Errorf("Purge = %v, want nil", err)
				}
			}
		})
	}
	atOnce(t, r, lists...)
	stop()
	purgers.Wait()
	wantAggregate(t, r, movie, want)
}
