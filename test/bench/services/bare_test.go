//go:build bench

package services_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"

	"google.golang.org/grpc"

	metadatav1 "movieexample.com/fleet/services/proto/metadata/v1"
	moviev1 "movieexample.com/fleet/services/proto/movie/v1"
	ratingv1 "movieexample.com/fleet/services/proto/rating/v1"
)

// How a bare server learns what it is.
const (
	envRole      = "FLEET_BENCH_ROLE"
	envListen    = "FLEET_BENCH_LISTEN"
	envUpstreams = "FLEET_BENCH_UPSTREAMS" // of metadata and rating, with a comma
	envTLS       = "FLEET_BENCH_TLS"       // directory of tls.crt, tls.key, ca.crt; empty for none
	envTraces    = "FLEET_BENCH_TRACES"    // URL of the collector; empty for none
	envRatio     = "FLEET_BENCH_RATIO"     // of the traces begun here that are recorded
)

// Roles of bare servers.
const (
	roleLeaf    = "leaf"             // metadata and rating, with empty handlers
	roleFront   = "front"            // movie: asks both at the same time over connections that stay
	roleDialing = "front-that-dials" // the same, with new connections for each call
)

type leaf struct {
	metadatav1.UnimplementedMetadataServiceServer
	ratingv1.UnimplementedRatingServiceServer
}

func (leaf) GetMetadata(context.Context, *metadatav1.GetMetadataRequest) (*metadatav1.GetMetadataResponse, error) {
	return &metadatav1.GetMetadataResponse{}, nil
}

func (leaf) GetAggregatedRating(context.Context, *ratingv1.GetAggregatedRatingRequest) (*ratingv1.GetAggregatedRatingResponse, error) {
	return &ratingv1.GetAggregatedRatingResponse{}, nil
}

// front asks both; connect gives a connection and what to do when the call is over.
type front struct {
	moviev1.UnimplementedMovieServiceServer

	connect func(upstream int) (conn *grpc.ClientConn, done func(), err error)
}

func (f front) GetMovieDetails(ctx context.Context, r *moviev1.GetMovieDetailsRequest) (*moviev1.GetMovieDetailsResponse, error) {
	var wait sync.WaitGroup
	var rated error
	wait.Go(func() {
		rated = f.on(1, func(c *grpc.ClientConn) error {
			_, err := ratingv1.NewRatingServiceClient(c).GetAggregatedRating(ctx, &ratingv1.GetAggregatedRatingRequest{RecordType: "movie", RecordId: r.GetMovieId()})
			return err
		})
	})
	err := f.on(0, func(c *grpc.ClientConn) error {
		_, err := metadatav1.NewMetadataServiceClient(c).GetMetadata(ctx, &metadatav1.GetMetadataRequest{MovieId: r.GetMovieId()})
		return err
	})
	wait.Wait()
	return &moviev1.GetMovieDetailsResponse{}, errors.Join(err, rated)
}

func (f front) on(upstream int, call func(*grpc.ClientConn) error) error {
	conn, done, err := f.connect(upstream)
	if err != nil {
		return err
	}
	defer done()
	return call(conn)
}

// runBare serves until it is killed.
func runBare(role string) int {
	if err := serveBare(role); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func serveBare(role string) error {
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", os.Getenv(envListen))
	if err != nil {
		return err
	}
	incoming, outgoing, err := bareTraces(os.Getenv(envTraces), os.Getenv(envRatio))
	if err != nil {
		return err
	}
	server := grpc.NewServer(append(incoming, grpc.Creds(serverCredentials(os.Getenv(envTLS))))...)
	switch role {
	case roleLeaf:
		metadatav1.RegisterMetadataServiceServer(server, leaf{})
		ratingv1.RegisterRatingServiceServer(server, leaf{})
	default:
		connect, err := connector(role, strings.Split(os.Getenv(envUpstreams), ","), outgoing)
		if err != nil {
			return err
		}
		moviev1.RegisterMovieServiceServer(server, front{connect: connect})
	}
	return server.Serve(listener)
}

func connector(role string, upstreams []string, outgoing []grpc.DialOption) (func(int) (*grpc.ClientConn, func(), error), error) {
	if len(upstreams) != 2 {
		return nil, fmt.Errorf("upstreams are %v, want two", upstreams)
	}
	creds := clientCredentials(os.Getenv(envTLS))
	dial := func(i int) (*grpc.ClientConn, error) {
		return grpc.NewClient("passthrough:///"+upstreams[i], append(outgoing, grpc.WithTransportCredentials(creds))...)
	}
	if role == roleDialing {
		return func(i int) (*grpc.ClientConn, func(), error) {
			conn, err := dial(i)
			return conn, func() { _ = conn.Close() }, err
		}, nil
	}
	var conns [2]*grpc.ClientConn
	for i := range conns {
		var err error
		if conns[i], err = dial(i); err != nil {
			return nil, err
		}
	}
	return func(i int) (*grpc.ClientConn, func(), error) { return conns[i], func() {}, nil }, nil
}
