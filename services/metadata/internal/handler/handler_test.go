package handler_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	"movieexample.com/fleet/services/internal/problem"
	"movieexample.com/fleet/services/metadata/internal/controller"
	"movieexample.com/fleet/services/metadata/internal/handler"
	"movieexample.com/fleet/services/metadata/internal/model"
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

func TestManyAtOnce(t *testing.T) {
	h := newHandler()
	var all []*metadatav1.Metadata
	for _, id := range []string{"tt1", "tt2", "tt3"} {
		m := &metadatav1.Metadata{Id: id, Title: "T", Director: "F"}
		if _, err := h.PutMetadata(t.Context(), &metadatav1.PutMetadataRequest{Metadata: m}); err != nil {
			t.Fatal(err)
		}
		m.CreateTime, m.UpdateTime = timestamppb.New(now), timestamppb.New(now)
		all = append(all, m)
	}
	batch, err := h.BatchGetMetadata(t.Context(), &metadatav1.BatchGetMetadataRequest{MovieIds: []string{"none", "tt1"}})
	want := &metadatav1.BatchGetMetadataResponse{Metadata: all[:1], MissingIds: []string{"none"}}
	if diff := cmp.Diff(want, batch, protocmp.Transform()); err != nil || diff != "" {
		t.Errorf("BatchGetMetadata = %v (-want +got):\n%s", err, diff)
	}
	first, err := h.ListMetadata(t.Context(), &metadatav1.ListMetadataRequest{PageSize: 2, Director: "F"})
	if diff := cmp.Diff(all[:2], first.GetMetadata(), protocmp.Transform()); err != nil || diff != "" || first.GetNextPageToken() == "" {
		t.Errorf("ListMetadata = %v, %v (-want +got):\n%s", first, err, diff)
	}
	second, err := h.ListMetadata(t.Context(), &metadatav1.ListMetadataRequest{PageSize: 2, Director: "F", PageToken: first.GetNextPageToken()})
	if diff := cmp.Diff(&metadatav1.ListMetadataResponse{Metadata: all[2:]}, second, protocmp.Transform()); err != nil || diff != "" {
		t.Errorf("ListMetadata of the last page = %v (-want +got):\n%s", err, diff)
	}
}

// failing is a controller whose repository is away.
type failing struct{ handler.Controller }

var errAway = problem.NewUnavailable(nil, "the database cannot be reached")

func (failing) GetMany(context.Context, []string) (found []model.Metadata, missing []string, err error) {
	return nil, nil, errAway
}

func (failing) List(context.Context, int, string, string) (list []model.Metadata, next string, err error) {
	return nil, "", errAway
}

func (failing) Put(context.Context, model.Metadata) (model.Metadata, error) {
	return model.Metadata{}, errAway
}

func TestDatabaseAway(t *testing.T) {
	h := handler.New(failing{})
	_, batch := h.BatchGetMetadata(t.Context(), &metadatav1.BatchGetMetadataRequest{})
	_, list := h.ListMetadata(t.Context(), &metadatav1.ListMetadataRequest{})
	_, put := h.PutMetadata(t.Context(), &metadatav1.PutMetadataRequest{})
	for name, err := range map[string]error{"BatchGetMetadata": batch, "ListMetadata": list, "PutMetadata": put} {
		if status.Code(err) != codes.Unavailable {
			t.Errorf("%s = %v, want UNAVAILABLE", name, err)
		}
	}
}
