package eventstest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"movieexample.com/fleet/services/internal/events"
)

// patience is how long something may take that must happen.
const patience = time.Minute

// Bus is a way of events, new and empty.
type Bus struct {
	events.Publisher
	events.Subscriber
}

// Run tests what makes, a new and empty bus for each test.
func Run(t *testing.T, makeNew func(t *testing.T) Bus) {
	for name, test := range map[string]func(*testing.T, Bus){
		"all arrive as they were, in order for each record": allArrive,
		"nothing is published":                              nothing,
	} {
		t.Run(name, func(t *testing.T) { test(t, makeNew(t)) })
	}
}

// Numbered is a list of n events of few records.
func Numbered(n int) []events.Event {
	list := make([]events.Event, n)
	for i := range list {
		list[i] = events.Event{
			ID: fmt.Sprint(i), Type: "metadata.put", Record: events.Record("movie", fmt.Sprint(i%7)), Actor: "alice",
			After: []byte(fmt.Sprintf(`{"number":%d}`, i)), Time: time.Date(2024, 5, 6, 7, 8, 9, i*1000, time.UTC),
		}
	}
	return list
}

// Receive subscribes and returns a function that waits until want tells that enough has arrived, and ends the subscription.
func Receive(t *testing.T, s events.Subscriber) (until func(enough func([]events.Event) bool) []events.Event) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	batches, done := make(chan []events.Event), make(chan error, 1)
	go func() {
		done <- s.Subscribe(ctx, func(ctx context.Context, list []events.Event) {
			select {
			case batches <- list:
			case <-ctx.Done():
			}
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Subscribe = %v, want nil after its context ended", err)
		}
	})
	var got []events.Event
	return func(enough func([]events.Event) bool) []events.Event {
		t.Helper()
		deadline := time.After(patience)
		for !enough(got) {
			select {
			case list := <-batches:
				got = append(got, list...)
			case <-deadline:
				t.Fatalf("%d events after %v: %v", len(got), patience, got)
			}
		}
		return got
	}
}

// AtLeast tells whether n different events have arrived.
func AtLeast(n int) func([]events.Event) bool {
	return func(list []events.Event) bool {
		ids := map[string]bool{}
		for _, e := range list {
			ids[e.ID] = true
		}
		return len(ids) >= n
	}
}

// ByRecord sorts events into the records that they are of, repeats left out.
func ByRecord(list []events.Event) map[string][]events.Event {
	sorted, seen := map[string][]events.Event{}, map[string]bool{}
	for _, e := range list {
		if !seen[e.ID] {
			seen[e.ID] = true
			sorted[e.Record] = append(sorted[e.Record], e)
		}
	}
	return sorted
}

// publish tries again with what is not stored, as a relay does.
func publish(t *testing.T, p events.Publisher, list []events.Event) {
	t.Helper()
	stored, err := p.Publish(t.Context(), list)
	if err != nil || len(stored) != len(list) {
		t.Fatalf("Publish = %d stored, %v, want %d", len(stored), err, len(list))
	}
}

// allArrive begins with events that only show that the subscription stands.
func allArrive(t *testing.T, b Bus) {
	until := Receive(t, b)
	stands := make(chan struct{})
	go func() {
		defer close(stands)
		until(AtLeast(1))
	}()
	first := events.Event{ID: "first", Type: "t", Record: "none", Time: time.Now().UTC()}
	for {
		publish(t, b, []events.Event{first})
		select {
		case <-stands:
		case <-time.After(100 * time.Millisecond):
			continue
		}
		break
	}
	list := Numbered(500)
	publish(t, b, list[:200])
	publish(t, b, list[200:])
	got := ByRecord(until(AtLeast(501)))
	delete(got, "none")
	if diff := cmp.Diff(ByRecord(list), got); diff != "" {
		t.Errorf("events by record (-published +arrived):\n%s", diff)
	}
}

func nothing(t *testing.T, b Bus) { publish(t, b, nil) }
