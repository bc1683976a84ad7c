package gateway

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"movieexample.com/fleet/services/internal/problem"
	"movieexample.com/fleet/services/movie/internal/model"
	ratingv1 "movieexample.com/fleet/services/proto/rating/v1"
)

// recordType is what movies are called among the records that can be rated.
const recordType = "movie"

// Rating calls rating.v1.
type Rating struct{ client ratingv1.RatingServiceClient }

// NewRating takes the connection; the caller closes it.
func NewRating(conn grpc.ClientConnInterface) *Rating {
	return &Rating{client: ratingv1.NewRatingServiceClient(conn)}
}

// Get is the movie's rating. NotFound: nobody has rated it; Unavailable: the service failed in any way.
func (g *Rating) Get(ctx context.Context, id string) (model.Rating, error) {
	request := &ratingv1.GetAggregatedRatingRequest{RecordType: recordType, RecordId: id}
	response, err := g.client.GetAggregatedRating(ctx, request)
	if status.Code(err) == codes.NotFound {
		return model.Rating{}, model.NoRating(id)
	}
	if err != nil {
		return model.Rating{}, problem.NewUnavailable(err, "ratings cannot be had now")
	}
	return model.Rating{Value: response.GetRatingValue(), Count: response.GetCount(), Stale: response.GetStale()}, nil
}

// GetMany are the ratings of those of the movies that somebody has rated. Unavailable: the service failed in any way.
func (g *Rating) GetMany(ctx context.Context, ids []string) (map[string]model.Rating, error) {
	request := &ratingv1.BatchGetAggregatedRatingRequest{RecordType: recordType, RecordIds: ids}
	response, err := g.client.BatchGetAggregatedRating(ctx, request)
	if err != nil {
		return nil, problem.NewUnavailable(err, "ratings cannot be had now")
	}
	found := make(map[string]model.Rating, len(response.GetRatings()))
	for _, r := range response.GetRatings() {
		found[r.GetRecordId()] = model.Rating{Value: r.GetRatingValue(), Count: r.GetCount(), Stale: r.GetStale()}
	}
	return found, nil
}
