package gateway

import (
	"context"
	"slices"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"movieexample.com/fleet/services/internal/problem"
	"movieexample.com/fleet/services/movie/internal/model"
	metadatav1 "movieexample.com/fleet/services/proto/metadata/v1"
)

// Metadata calls metadata.v1.
type Metadata struct {
	client metadatav1.MetadataServiceClient
}

// NewMetadata takes the connection; the caller closes it.
func NewMetadata(conn grpc.ClientConnInterface) *Metadata {
	return &Metadata{client: metadatav1.NewMetadataServiceClient(conn)}
}

// Get is the movie's metadata. NotFound: there is no such movie; Unavailable: the service failed in any way.
func (g *Metadata) Get(ctx context.Context, id string) (model.Metadata, error) {
	response, err := g.client.GetMetadata(ctx, &metadatav1.GetMetadataRequest{MovieId: id})
	if status.Code(err) == codes.NotFound {
		return model.Metadata{}, model.NoMovie(id)
	}
	if err != nil {
		return model.Metadata{}, problem.NewUnavailable(err, "metadata cannot be had now")
	}
	return metadataOf(response.GetMetadata()), nil
}

// GetMany is the metadata of those of the movies that there are. Exhausted: it is too much for one answer; Unavailable: the
// service failed in any other way.
func (g *Metadata) GetMany(ctx context.Context, ids []string) (map[string]model.Metadata, error) {
	response, err := g.client.BatchGetMetadata(ctx, &metadatav1.BatchGetMetadataRequest{MovieIds: ids})
	if tooLarge(err) {
		return nil, problem.NewExhausted(err, "the movies together are too large for one answer: ask for fewer")
	}
	if err != nil {
		return nil, problem.NewUnavailable(err, "metadata cannot be had now")
	}
	found := make(map[string]model.Metadata, len(response.GetMetadata()))
	for _, m := range response.GetMetadata() {
		found[m.GetId()] = metadataOf(m)
	}
	return found, nil
}

// tooLarge tells a message beyond gRPC's limit from a service that is too busy, which says when to come back.
func tooLarge(err error) bool {
	s := status.Convert(err)
	return s.Code() == codes.ResourceExhausted && !slices.ContainsFunc(s.Details(), func(detail any) bool {
		_, hint := detail.(*errdetails.RetryInfo)
		return hint
	})
}

func metadataOf(m *metadatav1.Metadata) model.Metadata {
	return model.Metadata{
		ID:          m.GetId(),
		Title:       m.GetTitle(),
		Description: m.GetDescription(),
		Director:    m.GetDirector(),
		Year:        int(m.GetYear()),
		Actors:      m.GetActors(),
		CreateTime:  m.GetCreateTime().AsTime(),
		UpdateTime:  m.GetUpdateTime().AsTime(),
		Stale:       m.GetStale(),
	}
}
