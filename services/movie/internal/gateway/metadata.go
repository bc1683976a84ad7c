package gateway

import (
	"context"

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

// GetMany is the metadata of those of the movies that there are. Unavailable: the service failed in any way.
func (g *Metadata) GetMany(ctx context.Context, ids []string) (map[string]model.Metadata, error) {
	response, err := g.client.BatchGetMetadata(ctx, &metadatav1.BatchGetMetadataRequest{MovieIds: ids})
	if err != nil {
		return nil, problem.NewUnavailable(err, "metadata cannot be had now")
	}
	found := make(map[string]model.Metadata, len(response.GetMetadata()))
	for _, m := range response.GetMetadata() {
		found[m.GetId()] = metadataOf(m)
	}
	return found, nil
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
