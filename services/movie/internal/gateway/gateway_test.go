package gateway_test

import (
	"context"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/types/known/timestamppb"

	"movieexample.com/fleet/services/internal/lastknown"
	"movieexample.com/fleet/services/internal/problem"
	"movieexample.com/fleet/services/movie/internal/gateway"
	"movieexample.com/fleet/services/movie/internal/model"
	metadatav1 "movieexample.com/fleet/services/proto/metadata/v1"
	ratingv1 "movieexample.com/fleet/services/proto/rating/v1"
)

// server answers both services with code, or well if it is OK.
type server struct {
	metadatav1.UnimplementedMetadataServiceServer
	ratingv1.UnimplementedRatingServiceServer

	code codes.Code
}

func (s server) GetMetadata(_ context.Context, r *metadatav1.GetMetadataRequest) (*metadatav1.GetMetadataResponse, error) {
	if s.code != codes.OK {
		return nil, status.Error(s.code, "said the server")
	}
	return &metadatav1.GetMetadataResponse{Metadata: &metadatav1.Metadata{
		Id: r.GetMovieId(), Title: "T", Description: "D", Director: "F", Year: 1994, Actors: []string{"A"},
		CreateTime: timestamppb.New(time.Unix(1, 0)), UpdateTime: timestamppb.New(time.Unix(2, 0)),
	}}, nil
}

func (s server) GetAggregatedRating(_ context.Context, r *ratingv1.GetAggregatedRatingRequest) (*ratingv1.GetAggregatedRatingResponse, error) {
	if s.code != codes.OK || r.GetRecordType() != "movie" || r.GetRecordId() != "1" {
		return nil, status.Error(s.code, "said the server")
	}
	return &ratingv1.GetAggregatedRatingResponse{RatingValue: 4.5, Count: 2}, nil
}

func dial(t *testing.T, code codes.Code) *grpc.ClientConn {
	t.Helper()
	before := goleak.IgnoreCurrent()
	listener := bufconn.Listen(1 << 16)
	serving := grpc.NewServer()
	metadatav1.RegisterMetadataServiceServer(serving, server{code: code})
	ratingv1.RegisterRatingServiceServer(serving, server{code: code})
	done := make(chan error, 1)
	go func() { done <- serving.Serve(listener) }()
	conn, err := grpc.NewClient("passthrough:///bufconn", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.Close()
		serving.Stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		goleak.VerifyNone(t, before)
	})
	return conn
}

func TestGet(t *testing.T) {
	conn := dial(t, codes.OK)
	metadata, err := gateway.NewMetadata(conn).Get(t.Context(), "1")
	want := model.Metadata{
		ID: "1", Title: "T", Description: "D", Director: "F", Year: 1994, Actors: []string{"A"},
		CreateTime: time.Unix(1, 0).UTC(), UpdateTime: time.Unix(2, 0).UTC(),
	}
	if diff := cmp.Diff(want, metadata); err != nil || diff != "" {
		t.Errorf("Metadata.Get = %v (-want +got):\n%s", err, diff)
	}
	rating, err := gateway.NewRating(conn).Get(t.Context(), "1")
	if diff := cmp.Diff(model.Rating{Value: 4.5, Count: 2}, rating); err != nil || diff != "" {
		t.Errorf("Rating.Get = %v (-want +got):\n%s", err, diff)
	}
}

func TestFailures(t *testing.T) {
	for code, want := range map[codes.Code]problem.Kind{
		codes.NotFound:          problem.NotFound,
		codes.Unavailable:       problem.Unavailable,
		codes.Internal:          problem.Unavailable,
		codes.DeadlineExceeded:  problem.Unavailable,
		codes.InvalidArgument:   problem.Unavailable, // the id was checked before: not the caller's mistake
		codes.ResourceExhausted: problem.Unavailable,
	} {
		t.Run(code.String(), func(t *testing.T) {
			conn := dial(t, code)
			if _, err := gateway.NewMetadata(conn).Get(t.Context(), "1"); problem.KindOf(err) != want {
				t.Errorf("Metadata.Get = %v, want kind %v", err, want)
			}
			if _, err := gateway.NewRating(conn).Get(t.Context(), "1"); problem.KindOf(err) != want {
				t.Errorf("Rating.Get = %v, want kind %v", err, want)
			}
		})
	}
}

// changing answers as the test sets it.
type changing struct{ err error }

func (c *changing) Get(context.Context, string) (model.Rating, error) {
	return model.Rating{Value: 4, Count: 2}, c.err
}

func TestRemembered(t *testing.T) {
	service := &changing{}
	remembered, err := gateway.Remember(service, model.Rating.MarkStale, lastknown.Options{
		Dependency: "rating", Metrics: lastknown.NewMetrics(prometheus.NewRegistry()), Log: slog.New(slog.DiscardHandler), Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, stale := range []bool{false, true} {
		got, err := remembered.Get(t.Context(), "1")
		if want := (model.Rating{Value: 4, Count: 2, Stale: stale}); got != want || err != nil {
			t.Errorf("Get = %v, %v, want %v", got, err, want)
		}
		service.err = problem.NewUnavailable(nil, "away")
	}
}
