package handler_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	"movieexample.com/fleet/services/metadata/internal/controller"
	"movieexample.com/fleet/services/metadata/internal/handler"
	"movieexample.com/fleet/services/metadata/internal/repository/memory"
	metadatav1 "movieexample.com/fleet/services/proto/metadata/v1"
)

var now = time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)

func newHandler() *handler.Handler {
	return handler.New(controller.New(memory.New(), func() time.Time { return now }))
}

func TestPutAndGet(t *testing.T) {
	h := newHandler()
	request := &metadatav1.Metadata{
		Id: "tt1", Title: "T", Description: "D", Director: "F", Year: 1994, Actors: []string{"A"}, CreateTime: timestamppb.New(time.Unix(1, 0)),
	}
	want := &metadatav1.Metadata{
		Id: "tt1", Title: "T", Description: "D", Director: "F", Year: 1994, Actors: []string{"A"},
		CreateTime: timestamppb.New(now), UpdateTime: timestamppb.New(now),
	}
	put, err := h.PutMetadata(t.Context(), &metadatav1.PutMetadataRequest{Metadata: request})
	if diff := cmp.Diff(want, put.GetMetadata(), protocmp.Transform()); err != nil || diff != "" {
		t.Errorf("PutMetadata = %v (-want +got):\n%s", err, diff)
	}
	got, err := h.GetMetadata(t.Context(), &metadatav1.GetMetadataRequest{MovieId: "tt1"})
	if diff := cmp.Diff(want, got.GetMetadata(), protocmp.Transform()); err != nil || diff != "" {
		t.Errorf("GetMetadata = %v (-want +got):\n%s", err, diff)
	}
}

func TestFailures(t *testing.T) {
	h := newHandler()
	if _, err := h.GetMetadata(t.Context(), &metadatav1.GetMetadataRequest{MovieId: "tt1"}); status.Code(err) != codes.NotFound {
		t.Errorf("GetMetadata of nothing = %v, want NOT_FOUND", err)
	}
}
