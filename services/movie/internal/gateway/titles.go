package gateway

import (
	"context"
	"time"

	"google.golang.org/grpc"

	"movieexample.com/fleet/services/internal/breaker"
	"movieexample.com/fleet/services/internal/lastknown"
	"movieexample.com/fleet/services/movie/internal/model"
	metadatav1 "movieexample.com/fleet/services/proto/metadata/v1"
)

// titlesTimeout is how long anybody waits for what they can do without.
const titlesTimeout = 200 * time.Millisecond

// Titles lists movies of metadata.v1. Lists are a luxury, so they have a breaker of their own: lists that fail must not
// end the calls of metadata that details are made of.
type Titles struct {
	client  metadatav1.MetadataServiceClient
	breaker *breaker.Breaker
	notes   *lastknown.Notes
}

// NewTitles takes the connection; the caller closes it.
func NewTitles(conn grpc.ClientConnInterface, b *breaker.Breaker, notes *lastknown.Notes) *Titles {
	return &Titles{client: metadatav1.NewMetadataServiceClient(conn), breaker: b, notes: notes}
}

// ByDirector are up to most movies of the director, in the order of their ids; none if they cannot be had soon, which is
// counted and logged.
func (g *Titles) ByDirector(ctx context.Context, director string, most int) []model.Title {
	response, err := g.list(ctx, &metadatav1.ListMetadataRequest{
		Director: director, PageSize: int32(most),
	})
	if err != nil {
		if ctx.Err() == nil { // else nobody waits for them any more
			g.notes.LeftOut(ctx, err)
		}
		return nil
	}
	var titles []model.Title
	for _, m := range response.GetMetadata() {
		titles = append(titles, model.Title{ID: m.GetId(), Name: m.GetTitle()})
	}
	return titles
}

func (g *Titles) list(ctx context.Context, request *metadatav1.ListMetadataRequest) (*metadatav1.ListMetadataResponse, error) {
	pass, err := g.breaker.Allow()
	if err != nil {
		return nil, err
	}
	how := breaker.Unknown
	defer func() { pass.Done("", how) }() // after a panic too
	limited, cancel := context.WithTimeout(ctx, titlesTimeout)
	defer cancel()
	response, err := g.client.ListMetadata(limited, request)
	switch {
	case err == nil:
		how = breaker.Good
	case ctx.Err() == nil:
		how = breaker.Failed
	}
	return response, err
}
