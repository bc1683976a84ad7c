package handler

import (
	"context"

	"google.golang.org/protobuf/types/known/timestamppb"

	"movieexample.com/fleet/services/internal/problem"
	"movieexample.com/fleet/services/metadata/internal/model"
	metadatav1 "movieexample.com/fleet/services/proto/metadata/v1"
)

// Controller is the rules behind the calls.
type Controller interface {
	Get(ctx context.Context, id string) (model.Metadata, error)
	GetMany(ctx context.Context, ids []string) (found []model.Metadata, missing []string, err error)
	List(ctx context.Context, size int, token, director string) (list []model.Metadata, next string, err error)
	Put(ctx context.Context, m model.Metadata) (model.Metadata, error)
}

// Handler serves metadata.v1.
type Handler struct {
	metadatav1.UnimplementedMetadataServiceServer

	controller Controller
}

// New serves what the controller decides.
func New(controller Controller) *Handler { return &Handler{controller: controller} }

// GetMetadata implements metadata.v1.
func (h *Handler) GetMetadata(ctx context.Context, request *metadatav1.GetMetadataRequest) (*metadatav1.GetMetadataResponse, error) {
	m, err := h.controller.Get(ctx, request.GetMovieId())
	if err != nil {
		return nil, problem.Status(ctx, err)
	}
	return &metadatav1.GetMetadataResponse{Metadata: toProto(m)}, nil
}

// BatchGetMetadata implements metadata.v1.
func (h *Handler) BatchGetMetadata(
	ctx context.Context, request *metadatav1.BatchGetMetadataRequest,
) (*metadatav1.BatchGetMetadataResponse, error) {
	found, missing, err := h.controller.GetMany(ctx, request.GetMovieIds())
	if err != nil {
		return nil, problem.Status(ctx, err)
	}
	return &metadatav1.BatchGetMetadataResponse{Metadata: allToProto(found), MissingIds: missing}, nil
}

// ListMetadata implements metadata.v1.
func (h *Handler) ListMetadata(ctx context.Context, request *metadatav1.ListMetadataRequest) (*metadatav1.ListMetadataResponse, error) {
	list, next, err := h.controller.List(ctx, int(request.GetPageSize()), request.GetPageToken(), request.GetDirector())
	if err != nil {
		return nil, problem.Status(ctx, err)
	}
	return &metadatav1.ListMetadataResponse{Metadata: allToProto(list), NextPageToken: next}, nil
}

// PutMetadata implements metadata.v1.
func (h *Handler) PutMetadata(ctx context.Context, request *metadatav1.PutMetadataRequest) (*metadatav1.PutMetadataResponse, error) {
	stored, err := h.controller.Put(ctx, fromProto(request.GetMetadata()))
	if err != nil {
		return nil, problem.Status(ctx, err)
	}
	return &metadatav1.PutMetadataResponse{Metadata: toProto(stored)}, nil
}

// fromProto leaves times and staleness out: they are the service's own.
func fromProto(m *metadatav1.Metadata) model.Metadata {
	return model.Metadata{
		ID:          m.GetId(),
		Title:       m.GetTitle(),
		Description: m.GetDescription(),
		Director:    m.GetDirector(),
		Year:        int(m.GetYear()),
		Actors:      m.GetActors(),
	}
}

func allToProto(list []model.Metadata) []*metadatav1.Metadata {
	messages := make([]*metadatav1.Metadata, len(list))
	for i, m := range list {
		messages[i] = toProto(m)
	}
	return messages
}

func toProto(m model.Metadata) *metadatav1.Metadata {
	return &metadatav1.Metadata{
		Id:          m.ID,
		Title:       m.Title,
		Description: m.Description,
		Director:    m.Director,
		Year:        int32(m.Year), // the rules bound it
		Actors:      m.Actors,
		CreateTime:  timestamppb.New(m.CreateTime),
		UpdateTime:  timestamppb.New(m.UpdateTime),
		Stale:       m.Stale,
	}
}
