package verdict

import (
	"fmt"
	"testing"
	"time"
)

func TestCloses(t *testing.T) {
	for _, c := range []struct {
		name           string
		params         Params
		canary, stable int64
		open           time.Duration
		want           bool
	}{
		{"enough of both", errorsOnly(), 1, 10, 2 * time.Second, true},
		{"too little of stable", errorsOnly(), 100, 9, 2 * time.Second, false},
		{"nothing of the canary", errorsOnly(), 0, 1000, 8 * time.Second, false},
		{"nothing at all, open too long", errorsOnly(), 0, 0, 10 * time.Second, true},
		{"alone", alone(), 1, 0, 2 * time.Second, true},
		{"alone, nothing", alone(), 0, 0, 8 * time.Second, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.params.Closes(c.canary, c.stable, c.open); got != c.want {
				t.Errorf("Closes(%d, %d, %v) = %v, want %v", c.canary, c.stable, c.open, got, c.want)
			}
		})
	}
}

func TestHangsAndStarved(t *testing.T) {
	for _, c := range []struct {
		requests       int64
		weight         float64
		got            int64
		hangs, starved bool
	}{
		{2000, 0.01, 6, true, false},
		{2000, 0.01, 7, false, false},
		{1900, 0.01, 0, false, false},
		{1000, 0.05, 24, false, true},
		{1000, 0.05, 25, false, false},
		{1000, 0.05, 16, true, true},
		{980, 0.05, 17, false, false},
		{0, 1, 0, false, false},
	} {
		t.Run(fmt.Sprint(c.got, " of ", c.requests, " at ", c.weight), func(t *testing.T) {
			due := Due(c.requests, c.weight)
			if got := Hangs(due, c.got); got != c.hangs {
				t.Errorf("Hangs(%g, %d) = %v, want %v", due, c.got, got, c.hangs)
			}
			if got := Starved(due, c.got); got != c.starved {
				t.Errorf("Starved(%g, %d) = %v, want %v", due, c.got, got, c.starved)
			}
		})
	}
}
