package memory

import (
	"context"
	"sync"

	"movieexample.com/fleet/services/internal/events"
)

// Bus is a publisher and a subscriber. It is safe for concurrent use.
type Bus struct {
	mu          sync.Mutex
	subscribers map[*subscription]bool
}

type subscription struct {
	waiting []events.Event
	wake    chan struct{}
}

// New is a bus that nobody listens to yet.
func New() *Bus { return &Bus{subscribers: map[*subscription]bool{}} }

// Publish hands the events to all who have subscribed; it does not wait for them.
func (b *Bus) Publish(_ context.Context, list []events.Event) ([]string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for s := range b.subscribers {
		s.waiting = append(s.waiting, list...)
		select {
		case s.wake <- struct{}{}:
		default: // it has been woken and will take these too
		}
	}
	return events.Stored(list, func(int) bool { return false }), nil
}

// Subscribe hands on what is published from now on.
func (b *Bus) Subscribe(ctx context.Context, handle func(context.Context, []events.Event)) error {
	s := &subscription{wake: make(chan struct{}, 1)}
	b.mu.Lock()
	b.subscribers[s] = true
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.subscribers, s)
	}()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.wake:
			handle(ctx, b.take(s))
		}
	}
}

func (b *Bus) take(s *subscription) []events.Event {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := s.waiting
	s.waiting = nil
	return list
}
