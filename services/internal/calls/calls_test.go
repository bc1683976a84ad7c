package calls_test

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"movieexample.com/fleet/services/internal/breaker"
	"movieexample.com/fleet/services/internal/calls"
	ratingv1 "movieexample.com/fleet/services/proto/rating/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	get    = ratingv1.RatingService_GetAggregatedRating_FullMethodName // NO_SIDE_EFFECTS
	put    = ratingv1.RatingService_PutRating_FullMethodName           // IDEMPOTENT
	upload = "/movie.v1.MovieService/Unheard"                          // of which no proto file says anything
)

// script is a connection whose attempts take and end as it says; the last entry goes on for ever.
type script struct {
	took []time.Duration
	ends []error
	at   []time.Duration // when each attempt began
	from time.Time
}

func (s *script) Invoke(ctx context.Context, _ string, _, reply any, _ ...grpc.CallOption) error {
	n := len(s.at)
	s.at = append(s.at, time.Since(s.from))
	if len(s.took) > 0 {
		select {
		case <-time.After(s.took[min(n, len(s.took)-1)]):
		case <-ctx.Done():
			return status.FromContextError(ctx.Err()).Err()
		}
	}
	if r, ok := reply.(*ratingv1.GetAggregatedRatingResponse); ok {
		r.Count = 7
	}
	return s.ends[min(n, len(s.ends)-1)]
}

func (s *script) NewStream(ctx context.Context, _ *grpc.StreamDesc, _ string, _ ...grpc.CallOption) (grpc.ClientStream, error) {
	return &stream{ctx: ctx}, nil
}

var away = status.Error(codes.Unavailable, "refused")

func busy(wait time.Duration) error {
	s, err := status.New(codes.ResourceExhausted, "too many calls").WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(wait)})
	if err != nil {
		panic(err)
	}
	return s.Err()
}

func TestRetry(t *testing.T) {
	full := status.Error(codes.ResourceExhausted, "full")
	for name, tc := range map[string]struct {
		method string
		limit  time.Duration
		took   time.Duration
		ends   []error
		want   codes.Code
		begins [][2]time.Duration // earliest and latest begin of each attempt
	}{
		"a good call is one attempt": {get, time.Second, 0, []error{nil}, codes.OK, [][2]time.Duration{{}}},
		"away, then back": {
			get, time.Second, 0, []error{away, nil}, codes.OK, [][2]time.Duration{{}, {20 * time.Millisecond, 30 * time.Millisecond}},
		},
		"three attempts at most": {get, time.Second, 0, []error{away}, codes.Unavailable, [][2]time.Duration{
			{}, {20 * time.Millisecond, 30 * time.Millisecond}, {60 * time.Millisecond, 90 * time.Millisecond},
		}},
		"a write that may be repeated": {
			put, time.Second, 0, []error{away, nil}, codes.OK, [][2]time.Duration{{}, {20 * time.Millisecond, 30 * time.Millisecond}},
		},
		"a method that says nothing is not": {upload, time.Second, 0, []error{away}, codes.Unavailable, [][2]time.Duration{{}}},
		"busy, with a hint": {
			get, time.Second, 0, []error{busy(200 * time.Millisecond), nil}, codes.OK,
			[][2]time.Duration{{}, {200 * time.Millisecond, 240 * time.Millisecond}},
		},
		"busy, without":                 {get, time.Second, 0, []error{full}, codes.ResourceExhausted, [][2]time.Duration{{}}},
		"a hint beyond the call's time": {get, time.Second, 0, []error{busy(time.Minute)}, codes.ResourceExhausted, [][2]time.Duration{{}}},
		"its own mistake":               {get, time.Second, 0, []error{status.Error(codes.InvalidArgument, "no id")}, codes.InvalidArgument, [][2]time.Duration{{}}},
		"an internal error":             {get, time.Second, 0, []error{status.Error(codes.Internal, "broken")}, codes.Internal, [][2]time.Duration{{}}},
		"no time left":                  {get, time.Second, time.Minute, []error{nil}, codes.DeadlineExceeded, [][2]time.Duration{{}}},
		"one limit for all attempts": {get, time.Second, 700 * time.Millisecond, []error{away}, codes.DeadlineExceeded, [][2]time.Duration{
			{}, {720 * time.Millisecond, 730 * time.Millisecond},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &script{took: []time.Duration{tc.took}, ends: tc.ends, from: time.Now()}
				conn := calls.Limit(calls.Retry(s, 3), tc.limit, time.Minute)
				if got := status.Code(conn.Invoke(t.Context(), tc.method, nil, nil)); got != tc.want {
					t.Errorf("Invoke() = %s, want %s", got, tc.want)
				}
				if len(s.at) != len(tc.begins) {
					t.Fatalf("attempts at %s, want %d", s.at, len(tc.begins))
				}
				for i, at := range s.at {
					if at < tc.begins[i][0] || at > tc.begins[i][1] {
						t.Errorf("attempt %d began after %s, want %s to %s", i+1, at, tc.begins[i][0], tc.begins[i][1])
					}
				}
			})
		})
	}
}

// A service that fails all calls must not get three times as many because of it.
func TestRetriesAreThrottled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{ends: []error{away}}
		conn := calls.Retry(s, 3)
		for range 1000 {
			_ = conn.Invoke(t.Context(), get, nil, nil)
		}
		if extra := len(s.at) - 1000; extra < 20 || extra > 60 {
			t.Errorf("1000 calls made %d additional attempts, want some and then none", extra)
		}
		s.ends = []error{nil}
		for range 600 {
			_ = conn.Invoke(t.Context(), get, nil, nil)
		}
		s.ends, s.at = []error{away}, nil
		_ = conn.Invoke(t.Context(), get, nil, nil)
		if len(s.at) != 3 {
			t.Errorf("after 600 good calls a failed one made %d attempts, want 3", len(s.at))
		}
	})
}

func guard(s *script) (grpc.ClientConnInterface, *calls.Probes) {
	probes := calls.NewProbes()
	b := breaker.New("rating", breaker.NewMetrics(prometheus.NewRegistry()), slog.New(slog.DiscardHandler))
	return calls.Guard(calls.Limit(s, 500*time.Millisecond, time.Minute), b, probes), probes
}

func read(ctx context.Context, conn grpc.ClientConnInterface) (*ratingv1.GetAggregatedRatingResponse, error) {
	return ratingv1.NewRatingServiceClient(conn).GetAggregatedRating(ctx, &ratingv1.GetAggregatedRatingRequest{RecordId: "1"})
}

func TestGuardOfABlackHole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{took: []time.Duration{time.Hour}, ends: []error{nil}}
		conn, probes := guard(s)
		defer probes.Close()
		began := time.Now()
		slow := 0
		for range 10_000 { // a caller that calls without a pause, for some seconds
			before := time.Now()
			if _, err := read(t.Context(), conn); status.Code(err) != codes.Unavailable && status.Code(err) != codes.DeadlineExceeded {
				t.Fatalf("call = %v, want a failure", err)
			}
			if took := time.Since(before); took > 0 {
				slow++
				if before.Sub(began) >= time.Second {
					t.Fatalf("a call %s after the beginning took %s, want none once the service is known to be dead", before.Sub(began), took)
				}
			}
			time.Sleep(time.Millisecond)
		}
		if probed := len(s.at) - slow; slow != 2 || probed < 5 || probed > 10 {
			t.Errorf("%d calls waited, and %d were made in the background, want 2 and one each second", slow, probed)
		}

		s.took = []time.Duration{0}
		for err := away; err != nil; _, err = read(t.Context(), conn) {
			time.Sleep(time.Millisecond)
		}
		if r, err := read(t.Context(), conn); err != nil || r.GetCount() != 7 {
			t.Errorf("call once it is back = %v, %v, want its answer", r, err)
		}
	})
}

// A write is never made without its caller.
func TestGuardMakesWritesInTheForeground(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{took: []time.Duration{100 * time.Millisecond}, ends: []error{away}}
		conn, probes := guard(s)
		defer probes.Close()
		for range 100 {
			_ = conn.Invoke(t.Context(), put, &ratingv1.PutRatingRequest{}, &ratingv1.PutRatingResponse{})
		}
		made := len(s.at)
		time.Sleep(1100 * time.Millisecond)
		s.ends = []error{nil}
		if err := conn.Invoke(t.Context(), put, &ratingv1.PutRatingRequest{}, &ratingv1.PutRatingResponse{}); err != nil || len(s.at) != made+1 {
			t.Errorf("write that tries a service that is back = %v by %d attempts, want it done", err, len(s.at)-made)
		}
	})
}

func TestImpatientCallersDoNotOpenTheBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{took: []time.Duration{50 * time.Millisecond}, ends: []error{nil}}
		conn, probes := guard(s)
		defer probes.Close()
		for range 100 {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			_, _ = read(ctx, conn)
			cancel()
		}
		if _, err := read(t.Context(), conn); err != nil {
			t.Errorf("call of a patient caller = %v, want an answer", err)
		}
	})
}

func TestProbesEndWithTheirOwner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{took: []time.Duration{time.Hour}, ends: []error{nil}}
		conn, probes := guard(s)
		for range 3 {
			_, _ = read(t.Context(), conn)
		}
		time.Sleep(1100 * time.Millisecond)
		_, _ = read(t.Context(), conn)
		synctest.Wait()
		began := time.Now()
		probes.Close()
		if took := time.Since(began); took > 0 {
			t.Errorf("Close() took %s while a probe was under way, want 0", took)
		}
	})
}

// stream is silent until its context ends.
type stream struct {
	grpc.ClientStream

	ctx context.Context
}

func (s *stream) SendMsg(any) error { return nil }

func (s *stream) RecvMsg(any) error {
	<-s.ctx.Done()
	return status.FromContextError(s.ctx.Err()).Err()
}

func TestIdleStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn := calls.Limit(&script{}, time.Second, time.Minute)
		st, err := conn.NewStream(t.Context(), &grpc.StreamDesc{ClientStreams: true}, upload)
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		for range 10 { // it may last, while something moves
			time.Sleep(50 * time.Second)
			if err := st.SendMsg(nil); err != nil {
				t.Fatalf("SendMsg() after %s = %v", time.Since(began), err)
			}
		}
		err = st.RecvMsg(nil)
		got := cmp.Diff([]any{codes.DeadlineExceeded, 560 * time.Second}, []any{status.Code(err), time.Since(began)})
		if got != "" {
			t.Errorf("RecvMsg() on a stream where nothing moves = %v (-want +got):\n%s", err, got)
		}
	})
}
