//go:build integration

package integration_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"google.golang.org/grpc/codes"

	metadatav1 "movieexample.com/fleet/services/proto/metadata/v1"
	moviev1 "movieexample.com/fleet/services/proto/movie/v1"
	ratingv1 "movieexample.com/fleet/services/proto/rating/v1"
)

// What callers put in, wherever it may stand: none of it belongs into a log.
const (
	private   = "Quentin7f3a" // is a part of everything below
	reviewer  = "reviewer" + private
	secretly  = "password" + private
	title     = "title" + private
	rubble    = "rubble" + private
	fileName  = "file" + private + ".txt"
	inTheFile = "content" + private
)

// watched is a fleet that logs all it has to say, and asks for tokens.
type watched struct {
	fleet

	auth       *program
	keys       signingKeys
	ann        string // an editor's token
	reviewers  string // the token of one who may only rate
	unwelcome  []string
	ratingsAre string // name of rating's database
}

func startWatched(t *testing.T) watched {
	t.Helper()
	const debug = mysqlStorage + "log: {level: debug}\n"
	w := watched{}
	var all []*program
	t.Cleanup(func() { // after the programs have ended: it is the first to be registered
		for _, p := range all {
			w.wantSilent(t, p)
		}
	})
	binding := migrated(t, "auth")
	w.keys = newSigningKeys(t, binding, "first")
	mustCommand(t, binding, annsPassword, "user", "add", "ann"+private, "editor")
	mustCommand(t, binding, secretly, "user", "add", reviewer)
	w.auth = serve(t, "auth", debug+"keys: {kind: binding}\n", binding)
	w.auth.wantReady(t)
	guard := debug + jwtSettings(w.auth, "")
	ratings := migrated(t, "rating")
	name, err := os.ReadFile(filepath.Join(ratings, "database"))
	if err != nil {
		t.Fatal(err)
	}
	w.ratingsAre = string(name)
	w.metadata, w.rating = serve(t, "metadata", guard, migrated(t, "metadata")), serve(t, "rating", guard, ratings)
	w.metadata.wantReady(t)
	w.rating.wantReady(t)
	w.movie = serve(t, "movie", strings.TrimPrefix(guard, mysqlStorage)+fmt.Sprintf("files: {path: %s}\nupstreams: {metadata: {target: 'static:///%s'}, rating: {target: 'static:///%s'}}\n",
		t.TempDir(), w.metadata.api, w.rating.api), "")
	w.movie.wantReady(t)
	w.ann, w.reviewers = w.auth.mustLogin(t, "ann"+private, annsPassword), w.auth.mustLogin(t, reviewer, secretly)
	w.unwelcome = []string{
		"no-token-" + private, "a.b." + private,
		w.keys.forge(t, jwt.SigningMethodEdDSA, w.keys.private["first"], func(c jwt.MapClaims, _ map[string]any) { c["exp"] = time.Now().Add(-time.Hour).Unix() }),
		w.keys.forge(t, jwt.SigningMethodEdDSA, w.keys.private["first"], func(c jwt.MapClaims, _ map[string]any) { c["aud"] = private }),
	}
	all = []*program{w.auth, w.metadata, w.rating, w.movie}
	return w
}

// wantSilent wants a log that is there and tells of nobody.
func (w watched) wantSilent(t *testing.T, p *program) {
	t.Helper()
	log := p.log.String()
	if !strings.Contains(log, `"level":"DEBUG"`) {
		t.Errorf("the log of %s has no line of level debug, want all it has to say", p.name)
	}
	for _, secret := range append([]string{private, annsPassword, w.ann, w.reviewers, "PRIVATE KEY"}, w.unwelcome...) {
		for line := range strings.Lines(log) {
			if strings.Contains(line, secret) {
				t.Errorf("the log of %s holds %q: %s", p.name, secret, line)
			}
		}
	}
}

// rest sends a request with a token and wants a status code.
func (w watched) rest(t *testing.T, p *program, token, method, path, body string, want int) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://"+p.rest+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != want {
		t.Errorf("%s %s of %s = %d, want %d", method, path, p.name, response.StatusCode, want)
	}
}

// All that may go well and wrong, at level debug: no log tells who it was, with which token, or what was sent.
func TestLogsAreDiscreet(t *testing.T) {
	w := startWatched(t)
	w.logins(t)
	w.writes(t)
	w.uploads(t)
	w.refusals(t)
	w.faults(t)
}

func (w watched) logins(t *testing.T) {
	t.Helper()
	_, err := w.auth.login(t.Context(), reviewer, "wrong"+private)
	wantCode(t, "GetToken with a wrong password", err, codes.Unauthenticated)
	_, err = w.auth.login(t.Context(), "nobody"+private, secretly)
	wantCode(t, "GetToken of nobody", err, codes.Unauthenticated)
	w.rest(t, w.auth, "", http.MethodPost, "/v1/token", fmt.Sprintf(`{"username": %q, "password": %q}`, reviewer, secretly), 200)
	w.rest(t, w.auth, "", http.MethodPost, "/v1/token", `{"username": "`+rubble, 400)
	w.rest(t, w.auth, "", http.MethodPost, "/v1/token", fmt.Sprintf(`{"username": "%s %s", "password": %q}`, rubble, rubble, secretly), 400)
	w.rest(t, w.auth, "", http.MethodPost, "/v1/token:validate", fmt.Sprintf(`{"token": %q}`, w.unwelcome[0]), 401)
}

func (w watched) writes(t *testing.T) {
	t.Helper()
	record := &metadatav1.Metadata{Id: "tt1", Title: title, Description: title, Director: title, Actors: []string{title}}
	_, err := metadatav1.NewMetadataServiceClient(w.metadata.conn).PutMetadata(bearing(t.Context(), w.ann), &metadatav1.PutMetadataRequest{Metadata: record})
	wantCode(t, "PutMetadata", err, codes.OK)
	wantCode(t, "PutRating", w.rating.rateAs(t.Context(), w.reviewers, ""), codes.OK)
	w.rest(t, w.rating, w.reviewers, http.MethodPut, "/v1/ratings/movie/tt1", fmt.Sprintf(`{"userId": %q, "value": 3}`, reviewer), 200)
	w.rest(t, w.rating, w.reviewers, http.MethodDelete, "/v1/ratings/movie/tt1?userId="+reviewer, "", 204)
	w.rest(t, w.movie, "", http.MethodGet, "/v1/movies/tt1", "", 200)
	_, err = moviev1.NewMovieServiceClient(w.movie.conn).GetMovieDetails(t.Context(), &moviev1.GetMovieDetailsRequest{MovieId: "tt-" + private})
	wantCode(t, "GetMovieDetails of none", err, codes.NotFound)
}

func (w watched) uploads(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, fileName)
	for i, token := range []string{w.ann, w.reviewers, w.unwelcome[0]} {
		tokenFile := filepath.Join(dir, fmt.Sprint("token", i))
		for path, text := range map[string]string{file: strings.Repeat(inTheFile, 100), tokenFile: token} {
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		client := launch(t, "uploadclient", "", "", "--target", w.movie.api, "--token-file", tokenFile, file)
		if err := client.wait(t); (err == nil) != (i == 0) {
			t.Errorf("uploadclient with token %d = %v, %s, want an editor's to do and no other", i, err, &client.log)
		}
	}
}

func (w watched) refusals(t *testing.T) {
	t.Helper()
	for _, token := range append(w.unwelcome, "") {
		wantCode(t, "PutRating with a token that is none", w.rating.rateAs(t.Context(), token, reviewer), codes.Unauthenticated)
		w.rest(t, w.metadata, token, http.MethodPut, "/v1/metadata/tt1", fmt.Sprintf(`{"title": %q}`, title), 401)
	}
	wantCode(t, "PutRating of another's", w.rating.rateAs(t.Context(), w.ann, reviewer), codes.PermissionDenied)
	w.rest(t, w.metadata, w.reviewers, http.MethodPut, "/v1/metadata/tt1", fmt.Sprintf(`{"title": %q}`, title), 403)
	for _, body := range []string{`{"title": "` + rubble, `{"` + rubble + `": 1}`, fmt.Sprintf(`{"title": %q, "year": 7}`, rubble), rubble} {
		w.rest(t, w.metadata, w.ann, http.MethodPut, "/v1/metadata/tt1", body, 400)
	}
	w.rest(t, w.metadata, w.ann, http.MethodPut, "/v1/metadata/tt1", `{"title": "`+strings.Repeat(rubble, 1<<17)+`"}`, 413)
	w.rest(t, w.rating, w.reviewers, http.MethodPut, "/v1/ratings/"+rubble+"/tt1", `{"value": 3}`, 400)
	w.rest(t, w.rating, w.reviewers, http.MethodPut, "/v1/ratings/movie/tt1", `{"value": 3, "occurredAt": "`+rubble+`"}`, 400)
	_, err := ratingv1.NewRatingServiceClient(w.rating.conn).GetAggregatedRating(t.Context(),
		&ratingv1.GetAggregatedRatingRequest{RecordType: rubble, RecordId: rubble})
	wantCode(t, "GetAggregatedRating of what may not be rated", err, codes.InvalidArgument)
}

// faults are mistakes of ours, whose whole cause is logged: a database that refuses what it should take, and one that is away.
func (w watched) faults(t *testing.T) {
	t.Helper()
	server.Exec(t, "ALTER TABLE "+w.ratingsAre+".ratings ADD CONSTRAINT refuses CHECK (value <> 4)")
	wantCode(t, "PutRating that the database refuses", w.rating.rateAs(t.Context(), w.reviewers, ""), codes.Internal)
	eventually(t, func() error {
		if !strings.Contains(w.rating.log.String(), "CONSTRAINT `refuses` failed") {
			return fmt.Errorf("log of rating = %s, want the cause", &w.rating.log)
		}
		return nil
	})
	server.Exec(t, "ALTER TABLE "+w.ratingsAre+".ratings DROP COLUMN update_time")
	wantCode(t, "PutRating on another schema", w.rating.rateAs(t.Context(), w.reviewers, ""), codes.Unavailable)
	stopServer(t)
	wantCode(t, "PutRating while the database is away", w.rating.rateAs(t.Context(), w.reviewers, ""), codes.Unavailable)
	w.rest(t, w.metadata, w.ann, http.MethodPut, "/v1/metadata/tt1", fmt.Sprintf(`{"title": %q}`, title), 503)
	_, err := w.auth.login(t.Context(), reviewer, secretly)
	wantCode(t, "GetToken while the database is away", err, codes.Unavailable)
}
