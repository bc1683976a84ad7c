package rpc_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"movieexample.com/fleet/services/internal/limits"
	ratingv1 "movieexample.com/fleet/services/proto/rating/v1"
)

func TestBusyServerSaysWhenToComeBack(t *testing.T) {
	end, entered := make(chan struct{}), make(chan struct{}, 1)
	f := startLimited(t, limits.Options{MaxInFlight: 1}, func(context.Context) error { entered <- struct{}{}; <-end; return nil })
	done := make(chan error, 1)
	go func() { done <- f.get(context.Background()) }()
	<-entered
	if err := f.get(t.Context()); status.Code(err) != codes.ResourceExhausted || len(status.Convert(err).Details()) != 1 {
		t.Errorf("a call beside another = %v, want RESOURCE_EXHAUSTED with a hint", err)
	}
	code, header, body := request(t, http.MethodGet, f.rest+"/v1/ratings/movie/1", http.NoBody)
	if code != 429 || header.Get("Retry-After") != "1" || !strings.Contains(body, "already") {
		t.Errorf("the same by REST = %d, Retry-After %q, %q, want 429 and 1", code, header.Get("Retry-After"), body)
	}
	close(end)
	if err := <-done; err != nil {
		t.Errorf("the call that had the place = %v, want its answer", err)
	}
}

// One caller by REST must not use up what another may have, although all of them come through one connection inside.
func TestRateByREST(t *testing.T) {
	f := startLimited(t, limits.Options{Rate: 1, Burst: 2}, fine)
	const path = "/v1/ratings/movie/1"
	for i, want := range []int{200, 200, 429} {
		if code, _, body := request(t, http.MethodGet, f.rest+path, http.NoBody); code != want {
			t.Errorf("GET %d = %d %s, want %d", i+1, code, body, want)
		}
	}
	if code, _, body := request(t, http.MethodPut, f.rest+path, strings.NewReader(`{"userId":"u","value":5}`)); code != 200 {
		t.Errorf("PUT = %d %s, want 200: each method has its own limit", code, body)
	}
}

// The fleet's own callers would not even send these.
func TestMessagesAndHeadersTooLarge(t *testing.T) {
	f := start(t, fine)
	conn, err := grpc.NewClient(f.api, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	client := ratingv1.NewRatingServiceClient(conn)
	_, err = client.GetAggregatedRating(t.Context(), &ratingv1.GetAggregatedRatingRequest{RecordId: strings.Repeat("x", 5<<20)})
	if got := status.Convert(err); got.Code() != codes.ResourceExhausted || !strings.Contains(got.Message(), "received message larger than max") {
		t.Errorf("a request of 5 MiB = %v, want RESOURCE_EXHAUSTED of the server", err)
	}
	ctx := metadata.AppendToOutgoingContext(t.Context(), "x", strings.Repeat("y", 128<<10))
	if _, err := client.GetAggregatedRating(ctx, &ratingv1.GetAggregatedRatingRequest{RecordType: "movie", RecordId: "1"}); err == nil {
		t.Error("a header of 128 KiB is answered, want it refused")
	}
	if _, err := client.GetAggregatedRating(t.Context(), &ratingv1.GetAggregatedRatingRequest{RecordType: "movie", RecordId: "1"}); err != nil {
		t.Errorf("a call after them = %v, want an answer", err)
	}
}
