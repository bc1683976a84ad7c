package handler_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	ratingv1 "movieexample.com/fleet/services/proto/rating/v1"
	"movieexample.com/fleet/services/rating/internal/controller"
	"movieexample.com/fleet/services/rating/internal/handler"
	"movieexample.com/fleet/services/rating/internal/repository/memory"
)

var now = time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)

func newHandler() *handler.Handler {
	return handler.New(controller.New(memory.New(), controller.Rules{RecordTypes: []string{"movie"}, Retention: time.Hour}, func() time.Time { return now }))
}

func TestOneRating(t *testing.T) {
	h := newHandler()
	put := &ratingv1.PutRatingRequest{RecordType: "movie", RecordId: "1", UserId: "105", Value: 4, OccurredAt: timestamppb.New(now.Add(-time.Hour))}
	stored := &ratingv1.Rating{
		RecordType: "movie", RecordId: "1", UserId: "105", Value: 4,
		OccurredAt: put.GetOccurredAt(), CreateTime: timestamppb.New(now), UpdateTime: timestamppb.New(now),
	}
	for _, outcome := range []ratingv1.WriteOutcome{ratingv1.WriteOutcome_WRITE_OUTCOME_APPLIED, ratingv1.WriteOutcome_WRITE_OUTCOME_DUPLICATE} {
		got, err := h.PutRating(t.Context(), put)
		want := &ratingv1.PutRatingResponse{Outcome: outcome, Rating: stored}
		if diff := cmp.Diff(want, got, protocmp.Transform()); err != nil || diff != "" {
			t.Errorf("PutRating = %v (-want +got):\n%s", err, diff)
		}
	}
	aggregate, err := h.GetAggregatedRating(t.Context(), &ratingv1.GetAggregatedRatingRequest{RecordType: "movie", RecordId: "1"})
	if diff := cmp.Diff(&ratingv1.GetAggregatedRatingResponse{RatingValue: 4, Count: 1}, aggregate, protocmp.Transform()); err != nil || diff != "" {
		t.Errorf("GetAggregatedRating = %v (-want +got):\n%s", err, diff)
	}
	deleted, err := h.DeleteRating(t.Context(), &ratingv1.DeleteRatingRequest{RecordType: "movie", RecordId: "1", UserId: "105"})
	if err != nil || deleted.GetOutcome() != ratingv1.WriteOutcome_WRITE_OUTCOME_APPLIED {
		t.Errorf("DeleteRating = %v, %v, want it applied", deleted, err)
	}
	late, err := h.PutRating(t.Context(), put)
	if diff := cmp.Diff(&ratingv1.PutRatingResponse{Outcome: ratingv1.WriteOutcome_WRITE_OUTCOME_STALE}, late, protocmp.Transform()); err != nil || diff != "" {
		t.Errorf("PutRating that occurred before the deletion = %v (-want +got):\n%s", err, diff)
	}
}

func TestManyRecords(t *testing.T) {
	h := newHandler()
	for _, user := range []string{"1", "2"} {
		put := &ratingv1.PutRatingRequest{RecordType: "movie", RecordId: "1", UserId: user, Value: 4}
		if _, err := h.PutRating(t.Context(), put); err != nil {
			t.Fatal(err)
		}
	}
	got, err := h.BatchGetAggregatedRating(t.Context(), &ratingv1.BatchGetAggregatedRatingRequest{RecordType: "movie", RecordIds: []string{"none", "1"}})
	want := &ratingv1.BatchGetAggregatedRatingResponse{
		Ratings: []*ratingv1.AggregatedRating{{RecordId: "1", RatingValue: 4, Count: 2}}, MissingIds: []string{"none"},
	}
	if diff := cmp.Diff(want, got, protocmp.Transform()); err != nil || diff != "" {
		t.Errorf("BatchGetAggregatedRating = %v (-want +got):\n%s", err, diff)
	}
}

func TestFailures(t *testing.T) {
	h := newHandler()
	badTime := &timestamppb.Timestamp{Seconds: 1, Nanos: -1}
	for name, c := range map[string]struct {
		call func() error
		want codes.Code
	}{
		"nobody rated": {func() error {
			_, err := h.GetAggregatedRating(t.Context(), &ratingv1.GetAggregatedRatingRequest{RecordType: "movie", RecordId: "1"})
			return err
		}, codes.NotFound},
		"batch of books": {func() error {
			_, err := h.BatchGetAggregatedRating(t.Context(), &ratingv1.BatchGetAggregatedRatingRequest{RecordType: "book", RecordIds: []string{"1"}})
			return err
		}, codes.InvalidArgument},
		"bad put": {func() error {
			_, err := h.PutRating(t.Context(), &ratingv1.PutRatingRequest{})
			return err
		}, codes.InvalidArgument},
		"put at no time": {func() error {
			_, err := h.PutRating(t.Context(), &ratingv1.PutRatingRequest{RecordType: "movie", RecordId: "1", UserId: "1", Value: 1, OccurredAt: badTime})
			return err
		}, codes.InvalidArgument},
		"bad delete": {func() error {
			_, err := h.DeleteRating(t.Context(), &ratingv1.DeleteRatingRequest{})
			return err
		}, codes.InvalidArgument},
		"delete at no time": {func() error {
			_, err := h.DeleteRating(t.Context(), &ratingv1.DeleteRatingRequest{RecordType: "movie", RecordId: "1", UserId: "1", OccurredAt: badTime})
			return err
		}, codes.InvalidArgument},
	} {
		t.Run(name, func(t *testing.T) {
			if got := status.Code(c.call()); got != c.want {
				t.Errorf("code = %v, want %v", got, c.want)
			}
		})
	}
}
