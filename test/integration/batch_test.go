//go:build integration

package integration_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	metadatav1 "movieexample.com/fleet/services/proto/metadata/v1"
	moviev1 "movieexample.com/fleet/services/proto/movie/v1"
	"movieexample.com/fleet/test/parts"
)

func (f fleet) put(t *testing.T, id, director string) {
	t.Helper()
	_, err := metadatav1.NewMetadataServiceClient(f.metadata.conn).PutMetadata(t.Context(), &metadatav1.PutMetadataRequest{
		Metadata: &metadatav1.Metadata{Id: id, Title: "Movie " + id, Director: director},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// seen is what a batch says, in short: each movie with its rating, and * where that is stale.
func seen(response *moviev1.BatchGetMovieDetailsResponse) []string {
	var list []string
	for _, d := range response.GetDetails() {
		line := d.GetId()
		if d.GetStale() {
			line += "*"
		}
		if r := d.GetRating(); r != nil {
			line += " rated"
			if r.GetStale() {
				line += "*"
			}
		}
		list = append(list, line)
	}
	return append(list, "missing: "+strings.Join(response.GetMissingIds(), " "))
}

func (f fleet) wantBatch(t *testing.T, ids []string, want ...string) {
	t.Helper()
	if err := f.checkBatch(t, ids, want); err != nil {
		t.Error(err)
	}
}

func (f fleet) checkBatch(t *testing.T, ids, want []string) error {
	t.Helper()
	got, err := moviev1.NewMovieServiceClient(f.movie.conn).BatchGetMovieDetails(t.Context(), &moviev1.BatchGetMovieDetailsRequest{MovieIds: ids})
	if diff := cmp.Diff(want, seen(got)); err != nil || diff != "" {
		return fmt.Errorf("BatchGetMovieDetails(%v) = %w (-want +got):\n%s", ids, err, diff)
	}
	return nil
}

func TestBatchOfMovies(t *testing.T) {
	f := startFleet(t)
	f.putMovie(t)
	f.put(t, "tt2", "Bar")
	f.rate(t, "105", 4, time.Now())
	calls := func() [2]float64 {
		return [2]float64{
			f.movie.metric(t, `grpc_client_handled_total{code="OK",revision="`+revision+`",target="metadata"`),
			f.movie.metric(t, `grpc_client_handled_total{code="OK",revision="`+revision+`",target="rating"`),
		}
	}
	before := calls()
	f.wantBatch(t, []string{"none", "tt2", "tt1", "tt2", "other"}, "tt2", "tt1 rated", "missing: none other")
	after := calls()
	if got := [2]float64{after[0] - before[0], after[1] - before[1]}; got != [2]float64{1, 1} {
		t.Errorf("calls of metadata and rating for a batch of four = %v, want one each", got)
	}

	got := f.movie.call(t, http.MethodGet, "/v1/movies:batchGet?movieIds=tt1&movieIds=none", "")
	var body struct {
		Details    []struct{ ID, Title string }
		MissingIDs []string
	}
	if err := json.Unmarshal([]byte(got.body), &body); err != nil || got.code != http.StatusOK ||
		len(body.Details) != 1 || body.Details[0].Title != "The Movie 2" || len(body.MissingIDs) != 1 {
		t.Errorf("GET /v1/movies:batchGet = %d %s, %v, want the one movie and the one id that is missing", got.code, got.body, err)
	}
	f.movie.wantStatus(t, http.MethodGet, "/v1/movies:batchGet", "", 400, codes.InvalidArgument, "movie_ids")
	f.movie.wantStatus(t, http.MethodGet, "/v1/movies:batchGet?movieIds=-", "", 400, codes.InvalidArgument, "movie_ids[0]")
	f.movie.wantStatus(t, http.MethodGet, "/v1/movies:batchGet?movieIds=x"+strings.Repeat("&movieIds=x", 100), "", 400, codes.InvalidArgument, "movie_ids")
}

// Ratings that nothing is heard of cost a batch no error: what is known of them is shown, and the rest is left out.
func TestBatchWhileRatingsAreSwallowed(t *testing.T) {
	f, link := memoryFleet(t)
	f.put(t, "tt2", "Bar")
	ids := []string{"tt1", "none", "tt2"}
	// A busy machine may take longer than movie waits for rating by itself.
	eventually(t, func() error { return f.checkBatch(t, ids, []string{"tt1 rated", "tt2", "missing: none"}) })
	link.Set(parts.Fault{Swallow: true})
	for began := time.Now(); time.Since(began) < 2*time.Second; {
		f.wantBatch(t, ids, "tt1 rated*", "tt2", "missing: none")
	}
	f.put(t, "tt3", "Bar")
	f.wantBatch(t, []string{"tt3"}, "tt3", "missing: ")
	if got := f.movie.metric(t, `fallbacks_total{answer="last_known",dependency="rating"`); got == 0 {
		t.Error("fallbacks_total of rating = 0, want the batches counted")
	}
	if f.movie.metric(t, `breaker_rejected_total{dependency="rating"`) == 0 {
		t.Error("the breaker spared rating no call of the batches, want it open after a second")
	}
}

// Metadata that is away is shown as it was last known, if all of the batch is.
func TestBatchWhileMetadataIsAway(t *testing.T) {
	f := fleet{metadata: serve(t, "metadata", "", ""), rating: serve(t, "rating", "", "")}
	f.metadata.wantReady(t)
	f.rating.wantReady(t)
	link := parts.StartLink(t, f.metadata.api)
	f.movie = serve(t, "movie", "upstreams: {metadata: {target: 'static:///"+link.Address+"', timeout: 2s}, rating: {target: 'static:///"+f.rating.api+"', timeout: 2s}}\n", "")
	f.movie.wantReady(t)
	f.putMovie(t)
	f.rate(t, "105", 4, time.Now())
	f.eventuallyFresh(t)
	link.Set(parts.Fault{Refuse: true})
	f.wantBatch(t, []string{"tt1"}, "tt1* rated", "missing: ")
	f.movie.wantStatus(t, http.MethodGet, "/v1/movies:batchGet?movieIds=tt1&movieIds=tt2", "", 503, codes.Unavailable)
}

// What is too large for one answer is said to be so, and is had in parts.
func TestBatchTooLargeForOneAnswer(t *testing.T) {
	f := fleet{metadata: serve(t, "metadata", "", ""), rating: serve(t, "rating", "", "")}
	f.metadata.wantReady(t)
	f.rating.wantReady(t)
	f.movie = serve(t, "movie", "upstreams: {metadata: {target: 'static:///"+f.metadata.api+"', timeout: 2s}, rating: {target: 'static:///"+f.rating.api+"', timeout: 2s}}\n", "")
	f.movie.wantReady(t)
	var actors, ids []string
	for range 100 {
		actors = append(actors, strings.Repeat("𝄞", 255))
	}
	for i := range 50 { // about 100 KiB each
		ids = append(ids, fmt.Sprint("tt", i))
		_, err := metadatav1.NewMetadataServiceClient(f.metadata.conn).PutMetadata(t.Context(), &metadatav1.PutMetadataRequest{
			Metadata: &metadatav1.Metadata{Id: ids[i], Title: "T", Actors: actors},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err := metadatav1.NewMetadataServiceClient(f.metadata.conn).BatchGetMetadata(t.Context(), &metadatav1.BatchGetMetadataRequest{MovieIds: ids})
	if s := status.Convert(err); s.Code() != codes.ResourceExhausted || s.Message() != "the answer has 4.9 MiB, at most 4 fit: ask for fewer at once" {
		t.Errorf("BatchGetMetadata of 5 MiB = %v, want RESOURCE_EXHAUSTED and what to do", err)
	}
	if n := f.metadata.metric(t, `grpc_server_handled_total{grpc_code="ResourceExhausted",grpc_method="BatchGetMetadata"`); n != 1 {
		t.Errorf("metadata counted %v calls that were too large, want 1", n)
	}
	movie := moviev1.NewMovieServiceClient(f.movie.conn)
	for range 2 { // what is known of all of them by the second time is too large as well
		_, err := movie.BatchGetMovieDetails(t.Context(), &moviev1.BatchGetMovieDetailsRequest{MovieIds: ids})
		if s := status.Convert(err); s.Code() != codes.ResourceExhausted || !strings.Contains(s.Message(), "ask for fewer") {
			t.Errorf("BatchGetMovieDetails of 5 MiB = %v, want RESOURCE_EXHAUSTED and what to do", err)
		}
		for half := range slices.Chunk(ids, 25) {
			got, err := movie.BatchGetMovieDetails(t.Context(), &moviev1.BatchGetMovieDetailsRequest{MovieIds: half})
			if err != nil || len(got.GetDetails()) != 25 {
				t.Errorf("BatchGetMovieDetails of half of them = %d movies, %v, want 25", len(got.GetDetails()), err)
			}
		}
	}
}
