//go:build integration

package integration_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"

	metadatav1 "movieexample.com/fleet/services/proto/metadata/v1"
	moviev1 "movieexample.com/fleet/services/proto/movie/v1"
	ratingv1 "movieexample.com/fleet/services/proto/rating/v1"
)

func (f fleet) details(t *testing.T, id string) (*moviev1.MovieDetails, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	got, err := moviev1.NewMovieServiceClient(f.movie.conn).GetMovieDetails(ctx, &moviev1.GetMovieDetailsRequest{MovieId: id})
	return got.GetDetails(), err
}

func (f fleet) wantDetails(t *testing.T, stale bool, rating *moviev1.MovieRating) {
	t.Helper()
	got, err := f.details(t, "tt1")
	if err != nil || got.GetTitle() != "The Movie 2" || got.GetStale() != stale {
		t.Errorf("GetMovieDetails = %v, %v, want the movie with stale = %v", got, err, stale)
	}
	if diff := cmp.Diff(rating, got.GetRating(), protocmp.Transform()); diff != "" {
		t.Errorf("rating in GetMovieDetails (-want +got):\n%s", diff)
	}
}

func stopServer(t *testing.T) {
	t.Helper()
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { startServer(t) }) // for the tests that follow, whatever happens in this one
}

func startServer(t *testing.T) {
	t.Helper()
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
}

func TestDatabaseGoesAwayAndComesBack(t *testing.T) {
	f := startFleet(t)
	f.putMovie(t)
	f.rate(t, "105", 4, time.Now())
	f.wantDetails(t, false, &moviev1.MovieRating{Value: 4, Count: 1})

	stopServer(t)
	for _, p := range []*program{f.metadata, f.rating} {
		p.wantProbe(t, "/readyz", http.StatusServiceUnavailable, "the database cannot be reached")
		p.wantProbe(t, "/healthz", http.StatusOK, "ok")
	}
	_, err := ratingv1.NewRatingServiceClient(f.rating.conn).GetAggregatedRating(t.Context(),
		&ratingv1.GetAggregatedRatingRequest{RecordType: "movie", RecordId: "tt1"})
	if got := status.Convert(err); got.Code() != codes.Unavailable || strings.Contains(got.Message(), "127.0.0.1") {
		t.Errorf("GetAggregatedRating = %v, want UNAVAILABLE without addresses", err)
	}
	_, err = metadatav1.NewMetadataServiceClient(f.metadata.conn).GetMetadata(t.Context(), &metadatav1.GetMetadataRequest{MovieId: "tt1"})
	if status.Code(err) != codes.Unavailable {
		t.Errorf("GetMetadata = %v, want UNAVAILABLE", err)
	}
	f.wantDetails(t, true, &moviev1.MovieRating{Value: 4, Count: 1, Stale: true})
	if _, err := f.details(t, "never-seen"); status.Code(err) != codes.Unavailable {
		t.Errorf("GetMovieDetails of a movie never seen = %v, want UNAVAILABLE", err)
	}
	f.movie.wantProbe(t, "/readyz", http.StatusOK, `"ready"`) // it has a fallback
	f.movie.wantProbe(t, "/metrics", http.StatusOK, `dependency="rating"`)

	startServer(t)
	f.metadata.wantReady(t)
	f.rating.wantReady(t)
	f.wantDetails(t, false, &moviev1.MovieRating{Value: 4, Count: 1})
	for _, p := range []*program{f.metadata, f.rating, f.movie} {
		if !p.running() {
			t.Errorf("%s ended: %v", p.name, p.err)
		}
	}
}

func TestRatingsAreDown(t *testing.T) {
	metadata := serve(t, "metadata", "", "")
	metadata.wantReady(t)
	movie := serve(t, "movie", fmt.Sprintf("upstreams: {metadata: {target: 'static:///%s', timeout: 2s}, rating: {target: 'static:///127.0.0.1:1', timeout: 2s}}\n",
		metadata.api), "")
	movie.wantReady(t)
	f := fleet{metadata: metadata, movie: movie}
	f.putMovie(t)
	f.wantDetails(t, false, nil)
}

func TestStartWhileTheDatabaseIsAway(t *testing.T) {
	binding := server.Database(t)
	stopServer(t)
	rating := serve(t, "rating", mysqlStorage, binding)
	rating.wantProbe(t, "/healthz", http.StatusOK, "ok")
	rating.wantProbe(t, "/readyz", http.StatusServiceUnavailable, "the database cannot be reached")
	migration := launch(t, "rating", "", binding, "migrate")
	eventually(t, func() error {
		if !strings.Contains(migration.log.String(), "Waiting for the database") {
			return fmt.Errorf("log of migrate = %s, want a line about waiting", &migration.log)
		}
		return nil
	})

	startServer(t)
	if err := migration.wait(t); err != nil {
		t.Errorf("migrate = %v, want exit code 0", err)
	}
	rating.wantReady(t)
}

func TestServiceIsNotReadyBeforeItsMigrations(t *testing.T) {
	for _, name := range []string{"metadata", "rating"} {
		t.Run(name, func(t *testing.T) {
			binding := server.Database(t)
			p := serve(t, name, mysqlStorage, binding)
			p.wantProbe(t, "/readyz", http.StatusServiceUnavailable, "run `"+name+" migrate`")
			if err := launch(t, name, "", binding, "migrate").wait(t); err != nil {
				t.Fatalf("migrate = %v, want exit code 0", err)
			}
			p.wantReady(t)
		})
	}
}

func TestMigrationThatFailsSaysWhy(t *testing.T) {
	binding := server.Database(t)
	name, err := os.ReadFile(filepath.Join(binding, "database"))
	if err != nil {
		t.Fatal(err)
	}
	server.Exec(t, fmt.Sprintf("REVOKE CREATE ON %[1]s.* FROM %[1]s@'%%'", name))
	migration := launch(t, "rating", "", binding, "migrate")
	if err := migration.wait(t); err == nil {
		t.Error("migrate without the right to create tables = exit code 0, want another")
	}
	lines := strings.Split(strings.TrimSpace(migration.log.String()), "\n")
	if last := lines[len(lines)-1]; !strings.Contains(last, "CREATE command denied") {
		t.Errorf("last line = %s, want the reason", last)
	}
}

func TestMissingBinding(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "mysql")
	p := serve(t, "rating", mysqlStorage, missing)
	p.wantProbe(t, "/readyz", http.StatusServiceUnavailable, "does not exist")
}
