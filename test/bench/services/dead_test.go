//go:build bench

package services_test

import (
	"context"
	"slices"
	"syscall"
	"testing"
	"time"

	moviev1 "movieexample.com/fleet/services/proto/movie/v1"
	"movieexample.com/fleet/test/bench/table"
)

// mostDead bounds 99 % of the calls while ratings are dead, after the first second: single-digit milliseconds.
const mostDead = 10 * time.Millisecond

// TestBenchDeadRating freezes the rating service under a steady load. It answers nothing then, and nobody is told.
func TestBenchDeadRating(t *testing.T) {
	movie := startFleet(t, nil, tracing{})
	rating := movie.pids[1]
	if err := syscall.Kill(rating, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	var first, later []time.Duration
	for time.Since(began) < 6*time.Second {
		before := time.Now()
		r, err := movie.client.GetMovieDetails(context.Background(), &moviev1.GetMovieDetailsRequest{MovieId: "123"})
		took := time.Since(before)
		if err != nil || !r.GetDetails().GetRating().GetStale() {
			t.Fatalf("GetMovieDetails %s after ratings froze = %v, %v, want the last known rating, marked stale", before.Sub(began), r, err)
		}
		if before.Sub(began) < time.Second {
			first = append(first, took)
		} else {
			later = append(later, took)
		}
		time.Sleep(2 * time.Millisecond)
	}
	slices.Sort(later)
	t.Logf("first second: %s; the %d calls after it: %s at the median, %s at 99 %%, %s at most",
		first, len(later), later[len(later)/2], later[len(later)*99/100], later[len(later)-1])
	got := later[len(later)*99/100]
	table.Within(t, "details while ratings are dead, after the first second: 99 %", got, mostDead, got <= mostDead)
}
