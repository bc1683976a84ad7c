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
