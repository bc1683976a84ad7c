package deployment

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	metadatav1 "movieexample.com/fleet/services/proto/metadata/v1"
	moviev1 "movieexample.com/fleet/services/proto/movie/v1"
	ratingv1 "movieexample.com/fleet/services/proto/rating/v1"
)

const patience = 30 * time.Second // for all calls together

// run is one movie's life. Its id is that of no other, so that it disturbs no one and nobody it.
type run struct {
	Settings

	t     testing.TB
	ctx   context.Context //nolint:containedctx // the bound of all calls of a run
	movie string
	ann   user  // an editor, where that matters
	ben   *user // nil if there is a login of one user alone

	metadata metadatav1.MetadataServiceClient
	rating   ratingv1.RatingServiceClient
	details  moviev1.MovieServiceClient
}

// Run fails the test where the fleet does not do what was promised. In the end its ratings are deleted; the metadata of one
// movie stays, for there is no call to delete it.
func Run(t testing.TB, s Settings) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	id := strings.ToLower(rand.Text())
	r := &run{t: t, ctx: ctx, Settings: s, movie: "integration-" + id}
	r.logIn(id)
	r.metadata = metadatav1.NewMetadataServiceClient(r.dial("metadata"))
	r.rating = ratingv1.NewRatingServiceClient(r.dial("rating"))
	r.details = moviev1.NewMovieServiceClient(r.dial("movie"))
	defer r.cleanUp()

	r.wantCode("details before anything", r.get(), codes.NotFound)
	r.putMovie()
	r.wantDetails(nil)
	r.wantAggregate(nil)
	r.rateOverGRPC(r.ann, 5)
	r.wantDetails(rated(5, 1))
	r.wantAggregate(rated(5, 1))
	r.besideAnother()
	r.rateOverREST(r.ann, 3) // replaced, not added
	r.wantDetails(rated(3, 1))
	r.deleteOverREST(r.ann)
	r.wantAggregate(nil)
	r.wantDetails(nil)
}

// besideAnother is what takes a second user; it leaves the first one's rating.
func (r *run) besideAnother() {
	r.t.Helper()
	if r.ben == nil {
		r.t.Log("What a second user's rating does is left out: LOGIN2 and PASSWORD2 name none")
		return
	}
	r.rateOverREST(*r.ben, 2)
	r.wantDetails(rated(3.5, 2))
	r.wantAggregate(rated(3.5, 2))
	r.rateOverGRPC(r.ann, 4)
	r.wantDetails(rated(3, 2))
	r.deleteOverGRPC(*r.ben)
	r.wantAggregate(rated(4, 1))
}

// aggregate is what both services tell of ratings.
type aggregate struct {
	Mean  float64
	Count int64
}

func rated(mean float64, count int64) *aggregate { return &aggregate{Mean: mean, Count: count} }

func (r *run) dial(service string) *grpc.ClientConn {
	r.t.Helper()
	secured := insecure.NewCredentials()
	if r.Secure != nil {
		secured = credentials.NewTLS(r.Secure.of(service))
	}
	conn, err := grpc.NewClient("dns:///"+r.Target[service].GRPC, grpc.WithTransportCredentials(secured))
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func (r *run) must(what string, err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatalf("%s = %v, want no error", what, err)
	}
}

func (r *run) wantCode(what string, err error, want codes.Code) {
	r.t.Helper()
	if status.Code(err) != want {
		r.t.Fatalf("%s = %v, want %s", what, err, want)
	}
}

func (r *run) get() error {
	_, err := r.details.GetMovieDetails(r.ctx, &moviev1.GetMovieDetailsRequest{MovieId: r.movie}, grpc.WaitForReady(true))
	return err
}

func (r *run) putMovie() {
	r.t.Helper()
	_, err := r.metadata.PutMetadata(r.ann.bearing(r.ctx), &metadatav1.PutMetadataRequest{Metadata: &metadatav1.Metadata{
		Id: r.movie, Title: "The Movie 2", Description: "Put by `make integration`; delete it at will", Director: "Foo Bars",
	}})
	r.must("PutMetadata", err)
	var got struct{ Title string }
	r.rest(user{}, http.MethodGet, "metadata", "/v1/metadata/"+r.movie, "", http.StatusOK, &got)
	if got.Title != "The Movie 2" {
		r.t.Errorf("title over REST = %q, want The Movie 2", got.Title)
	}
}

func (r *run) rateOverGRPC(who user, value int32) {
	r.t.Helper()
	got, err := r.rating.PutRating(who.bearing(r.ctx), &ratingv1.PutRatingRequest{RecordType: "movie", RecordId: r.movie, UserId: who.id, Value: value})
	r.must("PutRating", err)
	if got.GetOutcome() != ratingv1.WriteOutcome_WRITE_OUTCOME_APPLIED {
		r.t.Errorf("PutRating = %v, want applied", got.GetOutcome())
	}
}

func (r *run) rateOverREST(who user, value int) {
	r.t.Helper()
	r.rest(who, http.MethodPut, "rating", r.ratingPath(), fmt.Sprintf(`{"userId": %q, "value": %d}`, who.id, value), http.StatusOK, nil)
}

func (r *run) deleteOverREST(who user) {
	r.t.Helper()
	r.rest(who, http.MethodDelete, "rating", r.ratingPath()+"?userId="+url.QueryEscape(who.id), "", http.StatusNoContent, nil)
}

func (r *run) deleteOverGRPC(who user) {
	r.t.Helper()
	_, err := r.rating.DeleteRating(who.bearing(r.ctx), &ratingv1.DeleteRatingRequest{RecordType: "movie", RecordId: r.movie, UserId: who.id})
	r.must("DeleteRating", err)
}

func (r *run) ratingPath() string { return "/v1/ratings/movie/" + r.movie }

// wantAggregate asks rating over REST.
func (r *run) wantAggregate(want *aggregate) {
	r.t.Helper()
	if want == nil {
		r.rest(user{}, http.MethodGet, "rating", r.ratingPath(), "", http.StatusNotFound, nil)
		return
	}
	var got struct {
		RatingValue float64
		Count       int64 `json:",string"`
	}
	r.rest(user{}, http.MethodGet, "rating", r.ratingPath(), "", http.StatusOK, &got)
	if diff := cmp.Diff(want, rated(got.RatingValue, got.Count)); diff != "" {
		r.t.Errorf("aggregate over REST (-want +got):\n%s", diff)
	}
}

// wantDetails asks movie over gRPC; nil is details without a rating.
func (r *run) wantDetails(want *aggregate) {
	r.t.Helper()
	answer, err := r.details.GetMovieDetails(r.ctx, &moviev1.GetMovieDetailsRequest{MovieId: r.movie})
	r.must("GetMovieDetails", err)
	var got *aggregate
	if rating := answer.GetDetails().GetRating(); rating != nil {
		got = rated(rating.GetValue(), rating.GetCount())
	}
	if diff := cmp.Diff(want, got); diff != "" || answer.GetDetails().GetTitle() != "The Movie 2" {
		r.t.Errorf("GetMovieDetails = %v (-want +got):\n%s", answer, diff)
	}
}

func (r *run) rest(who user, method, service, path, body string, code int, into any) {
	r.t.Helper()
	scheme, transport := "http", &http.Transport{}
	if r.Secure != nil {
		scheme, transport.TLSClientConfig = "https", r.Secure.of(service)
	}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(r.ctx, method, scheme+"://"+r.Target[service].REST+path, strings.NewReader(body))
	r.must("request", err)
	if who.token != "" {
		request.Header.Set("Authorization", "Bearer "+who.token)
	}
	response, err := (&http.Client{Transport: transport}).Do(request)
	r.must(method+" "+path, err)
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	r.must(method+" "+path, err)
	if response.StatusCode != code {
		r.t.Fatalf("%s %s = %d %s, want %d", method, path, response.StatusCode, text, code)
	}
	if into != nil {
		r.must("the answer of "+path, json.Unmarshal(text, into))
	}
}

// cleanUp leaves no rating, however the run went.
func (r *run) cleanUp() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	users := []user{r.ann}
	if r.ben != nil {
		users = append(users, *r.ben)
	}
	for _, who := range users {
		request := &ratingv1.DeleteRatingRequest{RecordType: "movie", RecordId: r.movie, UserId: who.id}
		if _, err := r.rating.DeleteRating(who.bearing(ctx), request); err != nil {
			r.t.Errorf("the rating of %s by %s may be left: %v", r.movie, who.id, err)
		}
	}
}
