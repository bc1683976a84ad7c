//go:build integration

package integration_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	metadatav1 "movieexample.com/fleet/services/proto/metadata/v1"
	moviev1 "movieexample.com/fleet/services/proto/movie/v1"
	ratingv1 "movieexample.com/fleet/services/proto/rating/v1"
)

// fields is a JSON object without what the clock decides.
func fields(t *testing.T, text string) map[string]any {
	t.Helper()
	object := map[string]any{}
	if err := json.Unmarshal([]byte(text), &object); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	delete(object, "createTime")
	delete(object, "updateTime")
	return object
}

func (p *program) wantJSON(t *testing.T, method, path, body string, code int, want map[string]any) {
	t.Helper()
	got := p.call(t, method, path, body)
	if got.code != code {
		t.Errorf("%s %s = %d %s, want %d", method, path, got.code, got.body, code)
		return
	}
	if diff := cmp.Diff(want, fields(t, got.body)); diff != "" {
		t.Errorf("%s %s (-want +got):\n%s", method, path, diff)
	}
	if got := got.header.Get("fleet-revision"); got != revision {
		t.Errorf("%s %s has fleet-revision %q, want %q", method, path, got, revision)
	}
}

func (f fleet) wantRating(t *testing.T, want *moviev1.MovieRating) {
	t.Helper()
	got, err := moviev1.NewMovieServiceClient(f.movie.conn).GetMovieDetails(t.Context(), &moviev1.GetMovieDetailsRequest{MovieId: "tt1"})
	if diff := cmp.Diff(want, got.GetDetails().GetRating(), protocmp.Transform()); err != nil || diff != "" {
		t.Errorf("rating in GetMovieDetails = %v (-want +got):\n%s", err, diff)
	}
}

func (f fleet) putMovie(t *testing.T) {
	t.Helper()
	_, err := metadatav1.NewMetadataServiceClient(f.metadata.conn).PutMetadata(t.Context(), &metadatav1.PutMetadataRequest{
		Metadata: &metadatav1.Metadata{Id: "tt1", Title: "The Movie 2", Director: "Foo Bars", Year: 1994, Actors: []string{"Zoë"}},
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (f fleet) rate(t *testing.T, user string, value int32, at time.Time) ratingv1.WriteOutcome {
	t.Helper()
	got, err := ratingv1.NewRatingServiceClient(f.rating.conn).PutRating(t.Context(), &ratingv1.PutRatingRequest{
		RecordType: "movie", RecordId: "tt1", UserId: user, Value: value, OccurredAt: timestamppb.New(at),
	})
	if err != nil {
		t.Fatal(err)
	}
	return got.GetOutcome()
}

// step is one thing that somebody does or sees. Steps build upon those before them.
type step struct {
	name string
	run  func(*testing.T, fleet)
}

// sequence is the life of one movie and its ratings.
func sequence(now time.Time) []step {
	movie := map[string]any{
		"id": "tt1", "title": "The Movie 2", "description": "", "director": "Foo Bars", "year": 1994.0, "actors": []any{"Zoë"}, "stale": false,
	}
	details := func(rating map[string]any) map[string]any {
		all := maps.Clone(movie)
		all["recommendations"] = []any{}
		if rating != nil {
			all["rating"] = rating
		}
		return all
	}
	rates := func(user string, value int32, at time.Time, want ratingv1.WriteOutcome) func(*testing.T, fleet) {
		return func(t *testing.T, f fleet) {
			if got := f.rate(t, user, value, at); got != want {
				t.Errorf("rating of %d by %s = %v, want %v", value, user, got, want)
			}
		}
	}
	wantsRating := func(want *moviev1.MovieRating) func(*testing.T, fleet) {
		return func(t *testing.T, f fleet) { f.wantRating(t, want) }
	}
	deletes := func(user string) func(*testing.T, fleet) {
		return func(t *testing.T, f fleet) {
			later := now.Add(time.Minute).UTC().Format("2006-01-02T15:04:05Z")
			got := f.rating.call(t, http.MethodDelete, "/v1/ratings/movie/tt1?userId="+user+"&occurredAt="+later, "")
			if got.code != http.StatusNoContent || got.body != "" {
				t.Errorf("DELETE = %d %q, want 204 without a body", got.code, got.body)
			}
		}
	}
	return []step{
		{"no such movie", func(t *testing.T, f fleet) {
			f.movie.wantStatus(t, http.MethodGet, "/v1/movies/tt1", "", http.StatusNotFound, codes.NotFound)
		}},
		{"put metadata", func(t *testing.T, f fleet) { f.putMovie(t) }},
		{"metadata", func(t *testing.T, f fleet) {
			f.metadata.wantJSON(t, http.MethodGet, "/v1/metadata/tt1", "", http.StatusOK, movie)
		}},
		{"details without a rating", func(t *testing.T, f fleet) {
			f.movie.wantJSON(t, http.MethodGet, "/v1/movies/tt1", "", http.StatusOK, details(nil))
			f.wantRating(t, nil)
		}},
		{"first rating", rates("105", 5, now, ratingv1.WriteOutcome_WRITE_OUTCOME_APPLIED)},
		{"its aggregate", wantsRating(&moviev1.MovieRating{Value: 5, Count: 1})},
		{"second user", func(t *testing.T, f fleet) {
			got := f.rating.call(t, http.MethodPut, "/v1/ratings/movie/tt1", `{"userId": "106", "value": 2}`)
			if got.code != http.StatusOK || !strings.Contains(got.body, "WRITE_OUTCOME_APPLIED") {
				t.Errorf("PUT of a second rating = %d %s, want 200 and applied", got.code, got.body)
			}
		}},
		{"aggregate of both", func(t *testing.T, f fleet) {
			f.rating.wantJSON(t, http.MethodGet, "/v1/ratings/movie/tt1", "", http.StatusOK, map[string]any{"ratingValue": 3.5, "count": "2", "stale": false})
		}},
		{"details with it", func(t *testing.T, f fleet) {
			f.movie.wantJSON(t, http.MethodGet, "/v1/movies/tt1", "", http.StatusOK, details(map[string]any{"value": 3.5, "count": "2", "stale": false}))
		}},
		{"same user rates again", rates("105", 3, now.Add(time.Second), ratingv1.WriteOutcome_WRITE_OUTCOME_APPLIED)},
		{"an older rating", rates("105", 1, now, ratingv1.WriteOutcome_WRITE_OUTCOME_STALE)},
		{"replaced, not added", wantsRating(&moviev1.MovieRating{Value: 2.5, Count: 2})},
		{"delete the first", deletes("105")},
		{"delete the second", deletes("106")},
		{"an older rating after its deletion", rates("105", 4, now.Add(2*time.Second), ratingv1.WriteOutcome_WRITE_OUTCOME_STALE)},
		{"aggregate gone", func(t *testing.T, f fleet) {
			f.rating.wantStatus(t, http.MethodGet, "/v1/ratings/movie/tt1", "", http.StatusNotFound, codes.NotFound)
			f.movie.wantJSON(t, http.MethodGet, "/v1/movies/tt1", "", http.StatusOK, details(nil))
		}},
	}
}

func TestOneMovieFromFirstToLast(t *testing.T) {
	f := startFleet(t)
	for _, s := range sequence(time.Now()) {
		t.Run(s.name, func(t *testing.T) { s.run(t, f) })
	}
}

// Whatever is restarted between any two steps, the next one finds what the ones before it left.
func TestOneMovieThroughRestarts(t *testing.T) {
	metadata, rating := migrated(t, "metadata"), migrated(t, "rating")
	for _, s := range sequence(time.Now()) {
		t.Run(s.name, func(t *testing.T) {
			stopServer(t)
			startServer(t)
			s.run(t, startFleetOn(t, metadata, rating, "")) // it ends with the step
		})
	}
}

// wantStatus wants an error body in the form of google.rpc.Status, and each field at fault named.
func (p *program) wantStatus(t *testing.T, method, path, body string, httpCode int, code codes.Code, atFault ...string) {
	t.Helper()
	got := p.call(t, method, path, body)
	var status struct {
		Code    codes.Code
		Message string
		Details []struct {
			FieldViolations []struct{ Field, Description string }
		}
	}
	if err := json.Unmarshal([]byte(got.body), &status); err != nil || got.code != httpCode || status.Code != code || status.Message == "" {
		t.Errorf("%s %s = %d %s, want %d and a status of code %v", method, path, got.code, got.body, httpCode, code)
	}
	var named []string
	for _, detail := range status.Details {
		for _, v := range detail.FieldViolations {
			named = append(named, v.Field)
		}
	}
	if diff := cmp.Diff(atFault, named); diff != "" {
		t.Errorf("%s %s: fields at fault (-want +got):\n%s", method, path, diff)
	}
}

func TestBadRequests(t *testing.T) {
	f := startFleet(t)
	for name, c := range map[string]struct {
		to           *program
		method, path string
		body         string
		httpCode     int
		code         codes.Code
		fields       []string
	}{
		"metadata without a title": {f.metadata, http.MethodPut, "/v1/metadata/tt1", `{"year": 7}`, 400, codes.InvalidArgument, []string{"metadata.title", "metadata.year"}},
		"metadata, unknown field":  {f.metadata, http.MethodPut, "/v1/metadata/tt1", `{"name": "x"}`, 400, codes.InvalidArgument, nil},
		"metadata, no JSON":        {f.metadata, http.MethodPut, "/v1/metadata/tt1", `{`, 400, codes.InvalidArgument, nil},
		"metadata, bad id":         {f.metadata, http.MethodGet, "/v1/metadata/a%20b", "", 400, codes.InvalidArgument, []string{"movie_id"}},
		"metadata, wrong method":   {f.metadata, http.MethodPost, "/v1/metadata/tt1", "{}", 405, codes.Unimplemented, nil},
		"metadata, unknown path":   {f.metadata, http.MethodGet, "/v2/metadata/tt1", "", 404, codes.NotFound, nil},
		"metadata, body too large": {f.metadata, http.MethodPut, "/v1/metadata/tt1", `{"title": "` + strings.Repeat("x", 1<<20) + `"}`, 413, codes.InvalidArgument, nil},
		"rating of 9 by nobody":    {f.rating, http.MethodPut, "/v1/ratings/movie/tt1", `{"value": 9}`, 400, codes.InvalidArgument, []string{"user_id", "value"}},
		"rating of a book":         {f.rating, http.MethodGet, "/v1/ratings/book/tt1", "", 400, codes.InvalidArgument, []string{"record_type"}},
		"rating in the future":     {f.rating, http.MethodPut, "/v1/ratings/movie/tt1", `{"userId": "1", "value": 1, "occurredAt": "2999-01-01T00:00:00Z"}`, 400, codes.InvalidArgument, []string{"occurred_at"}},
		"rating of long ago":       {f.rating, http.MethodPut, "/v1/ratings/movie/tt1", `{"userId": "1", "value": 1, "occurredAt": "2020-01-01T00:00:00Z"}`, 400, codes.InvalidArgument, []string{"occurred_at"}},
		"delete of nobody's":       {f.rating, http.MethodDelete, "/v1/ratings/movie/tt1", "", 400, codes.InvalidArgument, []string{"user_id"}},
		"movie, bad id":            {f.movie, http.MethodGet, "/v1/movies/-", "", 400, codes.InvalidArgument, []string{"movie_id"}},
		"movie that is not there":  {f.movie, http.MethodGet, "/v1/movies/none", "", 404, codes.NotFound, nil},
	} {
		t.Run(name, func(t *testing.T) {
			c.to.wantStatus(t, c.method, c.path, c.body, c.httpCode, c.code, c.fields...)
		})
	}
}

func TestRevisionIsInTheHeaderOfGRPCAnswersAndErrors(t *testing.T) {
	f := startFleet(t)
	client := metadatav1.NewMetadataServiceClient(f.metadata.conn)
	f.putMovie(t)
	for id, code := range map[string]codes.Code{"tt1": codes.OK, "none": codes.NotFound} {
		var header metadata.MD
		_, err := client.GetMetadata(t.Context(), &metadatav1.GetMetadataRequest{MovieId: id}, grpc.Header(&header))
		if got := header.Get("fleet-revision"); status.Code(err) != code || len(got) != 1 || got[0] != revision {
			t.Errorf("GetMetadata(%s) = %v with fleet-revision %v, want %v with %s", id, err, got, code, revision)
		}
	}
}

// Two processes write one record's ratings at once: the aggregate is exact.
func TestTwoProcessesOneRecord(t *testing.T) {
	binding := migrated(t, "rating")
	both := []*program{serve(t, "rating", mysqlStorage, binding), serve(t, "rating", mysqlStorage, binding)}
	for _, p := range both {
		p.wantReady(t)
	}
	const users, changes = 20, 5
	now := time.Now()
	var group sync.WaitGroup
	for user := range users {
		client := ratingv1.NewRatingServiceClient(both[user%2].conn)
		group.Go(func() {
			for change := range changes {
				_, err := client.PutRating(t.Context(), &ratingv1.PutRatingRequest{
					RecordType: "movie", RecordId: "tt1", UserId: fmt.Sprint("u", user/2), // each user through both processes
					Value: int32(1 + change), OccurredAt: timestamppb.New(now.Add(time.Duration(change) * time.Second)),
				})
				if err != nil {
					t.Errorf("PutRating = %v, want nil", err)
				}
			}
		})
	}
	group.Wait()
	for _, p := range both {
		p.wantJSON(t, http.MethodGet, "/v1/ratings/movie/tt1", "", http.StatusOK, map[string]any{"ratingValue": 5.0, "count": "10", "stale": false})
	}
}
