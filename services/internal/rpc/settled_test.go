package rpc_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"movieexample.com/fleet/services/internal/breaker"
	"movieexample.com/fleet/services/internal/discovery"
	"movieexample.com/fleet/services/internal/problem"
	"movieexample.com/fleet/services/internal/rpc"
	ratingv1 "movieexample.com/fleet/services/proto/rating/v1"
)

// Who knows that what it needs is dead says so, and is not asked again in vain.
func TestWhatIsSettledIsNotRepeated(t *testing.T) {
	for name, tc := range map[string]struct {
		err  error
		want int
	}{
		"a breaker is open":   {problem.NewUnavailable(breaker.ErrOpen, "the database cannot be reached"), 1},
		"a connection failed": {problem.NewUnavailable(context.DeadlineExceeded, "the database cannot be reached"), 3},
	} {
		t.Run(name, func(t *testing.T) {
			attempts := 0
			f := start(t, func(ctx context.Context) error { attempts++; return problem.Status(ctx, tc.err) })
			clients := rpc.NewClients(prometheus.NewRegistry(), discovery.NewResolver("static", discovery.Static{}, slog.New(slog.DiscardHandler)))
			defer func() { _ = clients.Close() }()
			conn, err := clients.Dial("rating", "static:///"+f.api, time.Minute, rpc.WithAttempts(3))
			if err != nil {
				t.Fatal(err)
			}
			_, err = ratingv1.NewRatingServiceClient(conn).GetAggregatedRating(t.Context(), &ratingv1.GetAggregatedRatingRequest{RecordType: "movie", RecordId: "1"})
			if status.Code(err) != codes.Unavailable || attempts != tc.want {
				t.Errorf("call = %v after %d attempts, want UNAVAILABLE after %d", err, attempts, tc.want)
			}
		})
	}
}
