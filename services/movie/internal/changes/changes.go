package changes

import (
	"context"
	"strings"
	"time"

	"movieexample.com/fleet/services/internal/events"
)

// callTime bounds the question for one new value.
const callTime = 2 * time.Second

// Memory is what is remembered of movies by one of their services.
type Memory interface {
	// Refresh asks for the value of the movie anew if one is remembered. If it cannot be had, the old one stays.
	Refresh(ctx context.Context, id string)
}

// Follower asks for what has changed. A last known value would do without it while its service answers; but in an outage
// nobody is shown what was long changed before. Values are asked for one after another, so that many changes at once, which
// Kafka holds meanwhile, are no load for their services.
type Follower struct {
	memories map[string]Memory
}

// New takes the memory of what metadata says of movies, and that of their ratings.
func New(metadata, rating Memory) *Follower {
	return &Follower{memories: map[string]Memory{"metadata": metadata, "rating": rating}}
}

// Handle takes a batch of events, of which many may be of one movie.
func (f *Follower) Handle(ctx context.Context, list []events.Event) {
	done := map[string]bool{}
	for _, e := range list {
		service, _, _ := strings.Cut(e.Type, ".")
		id, ok := e.IDOf("movie")
		memory := f.memories[service]
		if !ok || memory == nil || done[service+"/"+id] {
			continue
		}
		done[service+"/"+id] = true
		call, cancel := context.WithTimeout(e.InTrace(ctx), callTime)
		memory.Refresh(call, id)
		cancel()
	}
}
