package handler

import (
	"context"

	"google.golang.org/protobuf/types/known/timestamppb"

	"movieexample.com/fleet/services/internal/problem"
	"movieexample.com/fleet/services/movie/internal/model"
	moviev1 "movieexample.com/fleet/services/proto/movie/v1"
)

// Controller is the rules behind the calls.
type Controller interface {
	Details(ctx context.Context, id string) (model.Details, error)
	DetailsOfMany(ctx context.Context, ids []string) (found []model.Details, missing []string, err error)
}

// Handler serves movie.v1.
type Handler struct {
	moviev1.UnimplementedMovieServiceServer

	controller Controller
	files      Files
}

// New serves what the controller decides, and files.
func New(controller Controller, files Files) *Handler {
	return &Handler{controller: controller, files: files}
}

// GetMovieDetails implements movie.v1.
func (h *Handler) GetMovieDetails(ctx context.Context, request *moviev1.GetMovieDetailsRequest) (*moviev1.GetMovieDetailsResponse, error) {
	details, err := h.controller.Details(ctx, request.GetMovieId())
	if err != nil {
		return nil, problem.Status(ctx, err)
	}
	return &moviev1.GetMovieDetailsResponse{Details: toProto(details)}, nil
}

// BatchGetMovieDetails implements movie.v1.
func (h *Handler) BatchGetMovieDetails(
	ctx context.Context, request *moviev1.BatchGetMovieDetailsRequest,
) (*moviev1.BatchGetMovieDetailsResponse, error) {
	found, missing, err := h.controller.DetailsOfMany(ctx, request.GetMovieIds())
	if err != nil {
		return nil, problem.Status(ctx, err)
	}
	response := &moviev1.BatchGetMovieDetailsResponse{Details: make([]*moviev1.MovieDetails, len(found)), MissingIds: missing}
	for i, d := range found {
		response.Details[i] = toProto(d)
	}
	return response, nil
}

func toProto(d model.Details) *moviev1.MovieDetails {
	m := d.Metadata
	details := &moviev1.MovieDetails{
		Id:          m.ID,
		Title:       m.Title,
		Description: m.Description,
		Director:    m.Director,
		Year:        int32(m.Year), // it came as an int32
		Actors:      m.Actors,
		CreateTime:  timestamppb.New(m.CreateTime),
		UpdateTime:  timestamppb.New(m.UpdateTime),
		Stale:       m.Stale,
	}
	if r := d.Rating; r != nil {
		details.Rating = &moviev1.MovieRating{Value: r.Value, Count: r.Count, Stale: r.Stale}
	}
	for _, title := range d.Recommendations {
		details.Recommendations = append(details.Recommendations, &moviev1.Recommendation{Id: title.ID, Title: title.Name})
	}
	return details
}
