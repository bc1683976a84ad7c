//go:build integration

package storage_test

import (
	"context"
	"database/sql"
	"errors"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace/noop"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"movieexample.com/fleet/services/internal/binding"
	"movieexample.com/fleet/services/internal/calls"
	"movieexample.com/fleet/services/internal/events"
	"movieexample.com/fleet/services/internal/events/kafka"
	"movieexample.com/fleet/services/internal/storage"
	"movieexample.com/fleet/services/internal/transaction"
)

// reached is a connection that counts what comes through.
type reached int

func (r *reached) Invoke(context.Context, string, any, any, ...grpc.CallOption) error {
	*r++
	return nil
}

func (r *reached) NewStream(context.Context, *grpc.StreamDesc, string, ...grpc.CallOption) (grpc.ClientStream, error) {
	*r++
	return nil, errors.New("no streams here")
}

// TestNoCallInsideATransaction makes the mistake that rows stay locked by: clients of other servers refuse to take part.
func TestNoCallInsideATransaction(t *testing.T) {
	db := openDB(t, server.Database(t))
	var conn reached
	service := calls.Limit(&conn, time.Second, time.Second)
	brokerAsked := 0
	publisher := kafka.NewPublisher(func() (binding.Kafka, error) { brokerAsked++; return binding.Kafka{}, errors.New("none") }, "test", "fleet.changes", noop.NewTracerProvider())
	defer publisher.Close()
	call := func(ctx context.Context) (unary, stream, publish error) {
		unary = service.Invoke(ctx, "/rating.v1.RatingService/GetAggregatedRating", nil, nil)
		_, stream = service.NewStream(ctx, &grpc.StreamDesc{}, "/movie.v1.MovieService/UploadFile")
		_, publish = publisher.Publish(ctx, []events.Event{{ID: "1", Record: "movie/1"}})
		return unary, stream, publish
	}
	err := storage.InTx(t.Context(), db, func(ctx context.Context, _ *sql.Tx) error {
		unary, stream, publish := call(ctx)
		for name, err := range map[string]error{"a call": unary, "a stream": stream} {
			if s := status.Convert(err); s.Code() != codes.Internal || s.Message() != transaction.ErrInside.Error() {
				t.Errorf("%s inside a transaction = %v, want INTERNAL %q", name, err, transaction.ErrInside)
			}
		}
		if !errors.Is(publish, transaction.ErrInside) {
			t.Errorf("publishing inside a transaction = %v, want %v", publish, transaction.ErrInside)
		}
		return nil
	})
	if err != nil || conn != 0 || brokerAsked != 0 {
		t.Errorf("InTx = %v after %d calls and %d questions for the broker, want nil and none", err, conn, brokerAsked)
	}
	if _, _, _ = call(t.Context()); conn != 2 || brokerAsked == 0 {
		t.Errorf("after the transaction %d calls and %d questions for the broker came through, want 2 and some", conn, brokerAsked)
	}
}
