package controller

import (
	"context"

	"movieexample.com/fleet/services/internal/batch"
	"movieexample.com/fleet/services/movie/internal/model"
)

// DetailsOfMany are the details of the movies under ids, and the ids that no movie has; both in the order of ids, each
// once. It asks for all metadata and all ratings at the same time, by one call each. Ratings that cannot be had, for
// whatever reason, are left out.
func (c *Controller) DetailsOfMany(ctx context.Context, ids []string) (found []model.Details, missing []string, err error) {
	ctx, cancel := leaveTimeToAnswer(ctx)
	defer cancel()

	ids = batch.Once(ids)
	ratings := aside(func() map[string]model.Rating { return c.rating.GetSome(ctx, ids) })
	metadata, err := c.metadata.GetMany(ctx, ids)
	if err != nil {
		cancel() // ratings are of no use any more
	}
	known := ratings()
	if err != nil {
		return nil, nil, err
	}
	movies, missing := batch.InOrder(ids, metadata)
	for _, m := range movies {
		details := model.Details{Metadata: m}
		if rating, ok := known[m.ID]; ok {
			details.Rating = &rating
		}
		found = append(found, details)
	}
	return found, missing, nil
}
