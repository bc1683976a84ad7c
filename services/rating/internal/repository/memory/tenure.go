package memory

import (
	"context"
	"slices"
	"time"

	"movieexample.com/fleet/services/rating/internal/model"
)

// Hold notes that a consumer of the revision begins with the source at next, before it reads.
func (r *Repository) Hold(_ context.Context, source model.Source, revision string, next int64, now time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := r.tenures[source]
	if last := len(list) - 1; last >= 0 && list[last].Revision == revision {
		list[last].From = min(list[last].From, next)
		return nil
	}
	list = append(list, model.Tenure{Revision: revision, From: next, Since: now})
	for len(list) > 1 && list[1].Since.Before(now.Add(-model.TenureRetention)) { // the first one ended then
		list = list[1:]
	}
	r.tenures[source] = list
	return nil
}

// Tenures are who has begun with the source, in order, as far back as it is known.
func (r *Repository) Tenures(_ context.Context, source model.Source) ([]model.Tenure, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return slices.Clone(r.tenures[source]), nil
}
