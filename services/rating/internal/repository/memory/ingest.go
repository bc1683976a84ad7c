package memory

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"movieexample.com/fleet/services/rating/internal/model"
)

// Ingest applies all writes, in order, and moves the source from span.From to span.Next, or changes nothing.
func (r *Repository) Ingest(_ context.Context, span model.Span, writes []model.Write, now time.Time) ([]model.Outcome, error) {
	if span.Next <= span.From {
		return nil, fmt.Errorf("ingest: the batch goes from offset %d to %d, want it to move forward", span.From, span.Next)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if at, found := r.positions[span.Source]; !found || at != span.From {
		return nil, fmt.Errorf("ingest: %w: partition %d of topic %s is not at %d", model.ErrMoved, span.Partition, span.Topic, span.From)
	}
	outcomes := make([]model.Outcome, len(writes))
	for i, w := range writes {
		outcomes[i] = r.write(w, now).Outcome
	}
	r.positions[span.Source] = span.Next
	return outcomes, nil
}

// Position is the next offset of the source; found is false where the group has not begun with this topic id.
func (r *Repository) Position(_ context.Context, source model.Source) (next int64, found bool, err error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	next, found = r.positions[source]
	return next, found, nil
}

// Begin puts the source at next if it is nowhere yet, and returns the position that holds.
func (r *Repository) Begin(_ context.Context, source model.Source, next int64) (int64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if at, found := r.positions[source]; found {
		return at, nil
	}
	r.positions[source] = next
	return next, nil
}

// Rewind puts the source at next, wherever it is. A batch that is under way from elsewhere ends with [model.ErrMoved].
func (r *Repository) Rewind(_ context.Context, source model.Source, next int64) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.positions[source] = next
	return nil
}

// Positions are those of all that the group has begun with, by topic, topic id and partition.
func (r *Repository) Positions(_ context.Context, group string) ([]model.Position, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var list []model.Position
	for source, next := range r.positions {
		if source.Group == group {
			list = append(list, model.Position{Source: source, Next: next})
		}
	}
	slices.SortFunc(list, func(a, b model.Position) int {
		return cmp.Or(strings.Compare(a.Topic, b.Topic), bytes.Compare(a.TopicID[:], b.TopicID[:]), cmp.Compare(a.Partition, b.Partition))
	})
	return list, nil
}
