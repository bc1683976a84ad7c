//go:build integration

package integration_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	ratingv1 "movieexample.com/fleet/services/proto/rating/v1"
)

// Ten thousand users rate one film at the same moment: many are told to come back, and no rating is lost or counted twice.
func TestTenThousandWritersOfOneRecord(t *testing.T) {
	const writers = 10_000
	rating := serve(t, "rating", mysqlStorage, migrated(t, "rating"))
	rating.wantReady(t)
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	var group sync.WaitGroup
	var refused atomic.Int64
	sum := 0
	for i := range writers {
		value := i%5 + 1
		sum += value
		group.Go(func() {
			again, err := rating.rateUntilDone(ctx, fmt.Sprint("user", i), int32(value))
			refused.Add(again)
			if err != nil {
				t.Errorf("PutRating = %v, want it to pass in the end", err)
			}
		})
	}
	group.Wait()
	rating.wantJSON(t, http.MethodGet, "/v1/ratings/movie/tt1", "", http.StatusOK,
		map[string]any{"ratingValue": float64(sum) / writers, "count": fmt.Sprint(writers), "stale": false})
	if refused.Load() == 0 {
		t.Error("no call was refused, want some: the server takes 256 at once")
	}
	if applied := rating.metric(t, `ratings_written_total{operation="put",outcome="applied"`); applied != writers {
		t.Errorf("%v writes were applied, want %d: a call that was refused wrote nothing", applied, writers)
	}
	t.Logf("%d writers were asked %d times to come back", writers, refused.Load())
}

// rateUntilDone comes back as often as it is told to, never before the time that the server gives.
func (p *program) rateUntilDone(ctx context.Context, user string, value int32) (refused int64, err error) {
	client := ratingv1.NewRatingServiceClient(p.conn)
	for ; ; refused++ {
		_, err := client.PutRating(ctx, &ratingv1.PutRatingRequest{RecordType: "movie", RecordId: "tt1", UserId: user, Value: value})
		if status.Code(err) != codes.ResourceExhausted {
			return refused, err
		}
		wait, hinted := hint(err)
		if !hinted {
			return refused, fmt.Errorf("refused without a time to come back: %w", err)
		}
		select {
		case <-ctx.Done():
			return refused, ctx.Err()
		case <-time.After(wait + rand.N(wait<<min(refused, 5))):
		}
	}
}

func hint(err error) (time.Duration, bool) {
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.RetryInfo); ok {
			return info.GetRetryDelay().AsDuration(), info.GetRetryDelay().AsDuration() > 0
		}
	}
	return 0, false
}
