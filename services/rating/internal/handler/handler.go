package handler

import (
	"context"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"movieexample.com/fleet/services/internal/problem"
	ratingv1 "movieexample.com/fleet/services/proto/rating/v1"
	"movieexample.com/fleet/services/rating/internal/controller"
	"movieexample.com/fleet/services/rating/internal/model"
)

// Controller is the rules behind the calls.
type Controller interface {
	Aggregate(ctx context.Context, record model.Record) (model.Aggregate, error)
	Aggregates(ctx context.Context, recordType string, ids []string) (found []controller.RecordAggregate, missing []string, err error)
	Put(ctx context.Context, key model.Key, value int, occurredAt time.Time) (model.Result, error)
	Delete(ctx context.Context, key model.Key, occurredAt time.Time) (model.Result, error)
}

// Handler serves rating.v1.
type Handler struct {
	ratingv1.UnimplementedRatingServiceServer

	controller Controller
}

// New serves what the controller decides.
func New(controller Controller) *Handler { return &Handler{controller: controller} }

// GetAggregatedRating implements rating.v1.
func (h *Handler) GetAggregatedRating(
	ctx context.Context, request *ratingv1.GetAggregatedRatingRequest,
) (*ratingv1.GetAggregatedRatingResponse, error) {
	record := model.Record{Type: request.GetRecordType(), ID: request.GetRecordId()}
	aggregate, err := h.controller.Aggregate(ctx, record)
	if err != nil {
		return nil, problem.Status(ctx, err)
	}
	return &ratingv1.GetAggregatedRatingResponse{RatingValue: aggregate.Mean(), Count: aggregate.Count, Stale: aggregate.Stale}, nil
}

// BatchGetAggregatedRating implements rating.v1.
func (h *Handler) BatchGetAggregatedRating(
	ctx context.Context, request *ratingv1.BatchGetAggregatedRatingRequest,
) (*ratingv1.BatchGetAggregatedRatingResponse, error) {
	found, missing, err := h.controller.Aggregates(ctx, request.GetRecordType(), request.GetRecordIds())
	if err != nil {
		return nil, problem.Status(ctx, err)
	}
	ratings := make([]*ratingv1.AggregatedRating, len(found))
	for i, a := range found {
		ratings[i] = &ratingv1.AggregatedRating{RecordId: a.RecordID, RatingValue: a.Mean(), Count: a.Count, Stale: a.Stale}
	}
	return &ratingv1.BatchGetAggregatedRatingResponse{Ratings: ratings, MissingIds: missing}, nil
}

// PutRating implements rating.v1.
func (h *Handler) PutRating(ctx context.Context, request *ratingv1.PutRatingRequest) (*ratingv1.PutRatingResponse, error) {
	occurredAt, err := when(request.GetOccurredAt())
	if err != nil {
		return nil, problem.Status(ctx, err)
	}
	result, err := h.controller.Put(ctx, keyOf(request), int(request.GetValue()), occurredAt)
	if err != nil {
		return nil, problem.Status(ctx, err)
	}
	return &ratingv1.PutRatingResponse{Outcome: outcome(result.Outcome), Rating: rating(result.Row)}, nil
}

// DeleteRating implements rating.v1.
func (h *Handler) DeleteRating(ctx context.Context, request *ratingv1.DeleteRatingRequest) (*ratingv1.DeleteRatingResponse, error) {
	occurredAt, err := when(request.GetOccurredAt())
	if err != nil {
		return nil, problem.Status(ctx, err)
	}
	result, err := h.controller.Delete(ctx, keyOf(request), occurredAt)
	if err != nil {
		return nil, problem.Status(ctx, err)
	}
	return &ratingv1.DeleteRatingResponse{Outcome: outcome(result.Outcome)}, nil
}

// keyed is a request that names one user's rating.
type keyed interface {
	GetRecordType() string
	GetRecordId() string
	GetUserId() string
}

func keyOf(request keyed) model.Key {
	return model.Key{Record: model.Record{Type: request.GetRecordType(), ID: request.GetRecordId()}, UserID: request.GetUserId()}
}

// when is the zero time for a field that is not set.
func when(t *timestamppb.Timestamp) (time.Time, error) {
	if t == nil {
		return time.Time{}, nil
	}
	if err := t.CheckValid(); err != nil {
		return time.Time{}, problem.NewInvalid([]problem.Violation{{Field: "occurred_at", Description: "is no valid time"}})
	}
	return t.AsTime(), nil
}

// rating is nil for a tombstone.
func rating(row model.Row) *ratingv1.Rating {
	if row.Deleted {
		return nil
	}
	return &ratingv1.Rating{
		RecordType: row.Key.Record.Type,
		RecordId:   row.Key.Record.ID,
		UserId:     row.Key.UserID,
		Value:      int32(row.Value), // 1 to 5
		OccurredAt: timestamppb.New(row.OccurredAt),
		CreateTime: timestamppb.New(row.CreateTime),
		UpdateTime: timestamppb.New(row.UpdateTime),
	}
}

func outcome(o model.Outcome) ratingv1.WriteOutcome {
	switch o {
	case model.Applied:
		return ratingv1.WriteOutcome_WRITE_OUTCOME_APPLIED
	case model.Stale:
		return ratingv1.WriteOutcome_WRITE_OUTCOME_STALE
	case model.Duplicate:
		return ratingv1.WriteOutcome_WRITE_OUTCOME_DUPLICATE
	default:
		return ratingv1.WriteOutcome_WRITE_OUTCOME_UNSPECIFIED
	}
}
