package handler_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	"movieexample.com/fleet/services/internal/problem"
	"movieexample.com/fleet/services/movie/internal/handler"
	"movieexample.com/fleet/services/movie/internal/model"
	moviev1 "movieexample.com/fleet/services/proto/movie/v1"
)

type details func(id string) (model.Details, error)

func (d details) Details(_ context.Context, id string) (model.Details, error) { return d(id) }

// DetailsOfMany finds all but the movie "none".
func (d details) DetailsOfMany(_ context.Context, ids []string) (found []model.Details, missing []string, err error) {
	for _, id := range ids {
		if id == "none" {
			missing = append(missing, id)
			continue
		}
		one, err := d(id)
		if err != nil {
			return nil, nil, err
		}
		found = append(found, one)
	}
	return found, missing, nil
}

func TestGetMovieDetails(t *testing.T) {
	created, updated := time.Unix(1, 0), time.Unix(2, 0)
	metadata := model.Metadata{
		ID: "1", Title: "T", Description: "D", Director: "F", Year: 1994, Actors: []string{"A"}, CreateTime: created, UpdateTime: updated,
	}
	message := func(change func(*moviev1.MovieDetails)) *moviev1.MovieDetails {
		m := &moviev1.MovieDetails{
			Id: "1", Title: "T", Description: "D", Director: "F", Year: 1994, Actors: []string{"A"},
			CreateTime: timestamppb.New(created), UpdateTime: timestamppb.New(updated),
		}
		change(m)
		return m
	}
	for name, c := range map[string]struct {
		details model.Details
		want    *moviev1.MovieDetails
	}{
		"no rating": {model.Details{Metadata: metadata}, message(func(*moviev1.MovieDetails) {})},
		"rating": {
			model.Details{Metadata: metadata, Rating: &model.Rating{Value: 4.5, Count: 2}},
			message(func(m *moviev1.MovieDetails) { m.Rating = &moviev1.MovieRating{Value: 4.5, Count: 2} }),
		},
		"recommendations": {
			model.Details{Metadata: metadata, Recommendations: []model.Title{{ID: "2", Name: "T2"}, {ID: "3", Name: "T3"}}},
			message(func(m *moviev1.MovieDetails) {
				m.Recommendations = []*moviev1.Recommendation{{Id: "2", Title: "T2"}, {Id: "3", Title: "T3"}}
			}),
		},
		"all stale": {
			model.Details{Metadata: metadata.MarkStale(), Rating: &model.Rating{Value: 4.5, Count: 2, Stale: true}},
			message(func(m *moviev1.MovieDetails) {
				m.Stale, m.Rating = true, &moviev1.MovieRating{Value: 4.5, Count: 2, Stale: true}
			}),
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := handler.New(details(func(string) (model.Details, error) { return c.details, nil }), nil)
			got, err := h.GetMovieDetails(t.Context(), &moviev1.GetMovieDetailsRequest{MovieId: "1"})
			if diff := cmp.Diff(c.want, got.GetDetails(), protocmp.Transform()); err != nil || diff != "" {
				t.Errorf("GetMovieDetails = %v (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestBatchGetMovieDetails(t *testing.T) {
	h := handler.New(details(func(id string) (model.Details, error) {
		return model.Details{Metadata: model.Metadata{ID: id, CreateTime: time.Unix(1, 0), UpdateTime: time.Unix(2, 0)}}, nil
	}), nil)
	message := func(id string) *moviev1.MovieDetails {
		return &moviev1.MovieDetails{Id: id, CreateTime: timestamppb.New(time.Unix(1, 0)), UpdateTime: timestamppb.New(time.Unix(2, 0))}
	}
	got, err := h.BatchGetMovieDetails(t.Context(), &moviev1.BatchGetMovieDetailsRequest{MovieIds: []string{"2", "none", "1"}})
	want := &moviev1.BatchGetMovieDetailsResponse{Details: []*moviev1.MovieDetails{message("2"), message("1")}, MissingIds: []string{"none"}}
	if diff := cmp.Diff(want, got, protocmp.Transform()); err != nil || diff != "" {
		t.Errorf("BatchGetMovieDetails = %v (-want +got):\n%s", err, diff)
	}
}

func TestFailures(t *testing.T) {
	for want, err := range map[codes.Code]error{
		codes.NotFound:    model.NoMovie("1"),
		codes.Unavailable: problem.NewUnavailable(errors.New("refused"), "metadata cannot be had now"),
		codes.Internal:    errors.New("odd"),
	} {
		h := handler.New(details(func(string) (model.Details, error) { return model.Details{}, err }), nil)
		if _, got := h.GetMovieDetails(t.Context(), &moviev1.GetMovieDetailsRequest{MovieId: "1"}); status.Code(got) != want {
			t.Errorf("GetMovieDetails = %v for %v, want %v", got, err, want)
		}
		if _, got := h.BatchGetMovieDetails(t.Context(), &moviev1.BatchGetMovieDetailsRequest{MovieIds: []string{"1"}}); status.Code(got) != want {
			t.Errorf("BatchGetMovieDetails = %v for %v, want %v", got, err, want)
		}
	}
}
