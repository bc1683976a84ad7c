package gateway_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/types/known/durationpb"
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
	return &metadatav1.GetMetadataResponse{Metadata: record(r.GetMovieId())}, nil
}

func record(id string) *metadatav1.Metadata {
	return &metadatav1.Metadata{
		Id: id, Title: "T", Description: "D", Director: "F", Year: 1994, Actors: []string{"A"},
		CreateTime: timestamppb.New(time.Unix(1, 0)), UpdateTime: timestamppb.New(time.Unix(2, 0)),
	}
}

func (s server) BatchGetMetadata(_ context.Context, r *metadatav1.BatchGetMetadataRequest) (*metadatav1.BatchGetMetadataResponse, error) {
	if s.code != codes.OK {
		return nil, status.Error(s.code, "said the server")
	}
	return &metadatav1.BatchGetMetadataResponse{
		Metadata: []*metadatav1.Metadata{record(r.GetMovieIds()[0])}, MissingIds: r.GetMovieIds()[1:],
	}, nil
}

func (s server) BatchGetAggregatedRating(
	_ context.Context, r *ratingv1.BatchGetAggregatedRatingRequest,
) (*ratingv1.BatchGetAggregatedRatingResponse, error) {
	if s.code != codes.OK || r.GetRecordType() != "movie" {
		return nil, status.Error(s.code, "said the server")
	}
	return &ratingv1.BatchGetAggregatedRatingResponse{
		Ratings:    []*ratingv1.AggregatedRating{{RecordId: r.GetRecordIds()[0], RatingValue: 4.5, Count: 2, Stale: true}},
		MissingIds: r.GetRecordIds()[1:],
	}, nil
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
	if diff := cmp.Diff(wanted("1"), metadata); err != nil || diff != "" {
		t.Errorf("Metadata.Get = %v (-want +got):\n%s", err, diff)
	}
	rating, err := gateway.NewRating(conn).Get(t.Context(), "1")
	if diff := cmp.Diff(model.Rating{Value: 4.5, Count: 2}, rating); err != nil || diff != "" {
		t.Errorf("Rating.Get = %v (-want +got):\n%s", err, diff)
	}
}

func wanted(id string) model.Metadata {
	return model.Metadata{
		ID: id, Title: "T", Description: "D", Director: "F", Year: 1994, Actors: []string{"A"},
		CreateTime: time.Unix(1, 0).UTC(), UpdateTime: time.Unix(2, 0).UTC(),
	}
}

func TestGetMany(t *testing.T) {
	conn := dial(t, codes.OK)
	metadata, err := gateway.NewMetadata(conn).GetMany(t.Context(), []string{"1", "none"})
	if diff := cmp.Diff(map[string]model.Metadata{"1": wanted("1")}, metadata); err != nil || diff != "" {
		t.Errorf("Metadata.GetMany = %v (-want +got):\n%s", err, diff)
	}
	rating, err := gateway.NewRating(conn).GetMany(t.Context(), []string{"1", "none"})
	if diff := cmp.Diff(map[string]model.Rating{"1": {Value: 4.5, Count: 2, Stale: true}}, rating); err != nil || diff != "" {
		t.Errorf("Rating.GetMany = %v (-want +got):\n%s", err, diff)
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
			many := problem.Unavailable
			if code == codes.ResourceExhausted { // the server says no time to come back: it is too much, not too busy
				many = problem.Exhausted
			}
			if _, err := gateway.NewMetadata(conn).GetMany(t.Context(), []string{"1"}); problem.KindOf(err) != many {
				t.Errorf("Metadata.GetMany = %v, want kind %v", err, many)
			}
			if _, err := gateway.NewRating(conn).GetMany(t.Context(), []string{"1"}); problem.KindOf(err) != problem.Unavailable {
				t.Errorf("Rating.GetMany = %v, want Unavailable", err)
			}
		})
	}
}

// changing answers as the test sets it.
type changing struct{ err error }

func (c *changing) Get(context.Context, string) (model.Rating, error) {
	return model.Rating{Value: 4, Count: 2}, c.err
}

func (c *changing) GetMany(_ context.Context, ids []string) (map[string]model.Rating, error) {
	if c.err != nil {
		return nil, c.err
	}
	return map[string]model.Rating{ids[0]: {Value: 4, Count: 2}}, nil
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

func TestRememberedOfMany(t *testing.T) {
	service := &changing{}
	remembered := remember(t, service)
	want := func(ids []string, want map[string]model.Rating, wantErr error) {
		t.Helper()
		got, err := remembered.GetMany(t.Context(), ids)
		if diff := cmp.Diff(want, got); diff != "" || !errors.Is(err, wantErr) {
			t.Errorf("GetMany(%v) = %v, want %v (-want +got):\n%s", ids, err, wantErr, diff)
		}
	}
	fresh, stale := model.Rating{Value: 4, Count: 2}, model.Rating{Value: 4, Count: 2, Stale: true}
	want([]string{"1", "2"}, map[string]model.Rating{"1": fresh}, nil)
	service.err = away
	want([]string{"1"}, map[string]model.Rating{"1": stale}, nil)
	want([]string{"1", "2"}, nil, away) // whether 2 has one now, nobody can say
	if diff := cmp.Diff(map[string]model.Rating{"1": stale}, remembered.GetSome(t.Context(), []string{"1", "2"})); diff != "" {
		t.Errorf("GetSome (-want +got):\n%s", diff)
	}
}

// busy is a connection to a server that says when to come back.
type busy struct{ grpc.ClientConnInterface }

func (busy) Invoke(context.Context, string, any, any, ...grpc.CallOption) error {
	s, err := status.New(codes.ResourceExhausted, "too many calls").WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(time.Second)})
	if err != nil {
		return err
	}
	return s.Err()
}

func TestMetadataIsTooBusy(t *testing.T) {
	if _, err := gateway.NewMetadata(busy{}).GetMany(t.Context(), []string{"1"}); problem.KindOf(err) != problem.Unavailable {
		t.Errorf("Metadata.GetMany = %v, want Unavailable", err)
	}
}
