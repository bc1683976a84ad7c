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

// wantStaleReads wants what was read before, marked stale, from the services whose database is away.
func (f fleet) wantStaleReads(t *testing.T) {
	t.Helper()
	// What metadata has in its cache is fresh for some seconds more.
	eventually(t, func() error {
		got, err := metadatav1.NewMetadataServiceClient(f.metadata.conn).GetMetadata(t.Context(), &metadatav1.GetMetadataRequest{MovieId: "tt1"})
		if err != nil {
			t.Fatalf("GetMetadata of what is known = %v, want no error at any time", err)
		}
		if !got.GetMetadata().GetStale() {
			return fmt.Errorf("GetMetadata = %v, want it stale", got)
		}
		return nil
	})
	rating, err := ratingv1.NewRatingServiceClient(f.rating.conn).GetAggregatedRating(t.Context(),
		&ratingv1.GetAggregatedRatingRequest{RecordType: "movie", RecordId: "tt1"})
	want := &ratingv1.GetAggregatedRatingResponse{RatingValue: 4, Count: 1, Stale: true}
	if diff := cmp.Diff(want, rating, protocmp.Transform()); err != nil || diff != "" {
		t.Errorf("GetAggregatedRating of what is known = %v (-want +got):\n%s", err, diff)
	}
}

// wantUnavailable wants reads of what is not known, lists and writes refused, without addresses of ours, and at once: the
// breaker is open by now.
func (f fleet) wantUnavailable(t *testing.T) {
	t.Helper()
	metadata, rating := metadatav1.NewMetadataServiceClient(f.metadata.conn), ratingv1.NewRatingServiceClient(f.rating.conn)
	for name, call := range map[string]func(ctx context.Context) error{
		"GetMetadata": func(ctx context.Context) error {
			_, err := metadata.GetMetadata(ctx, &metadatav1.GetMetadataRequest{MovieId: "never-seen"})
			return err
		},
		"BatchGetMetadata": func(ctx context.Context) error {
			_, err := metadata.BatchGetMetadata(ctx, &metadatav1.BatchGetMetadataRequest{MovieIds: []string{"tt1", "never-seen"}})
			return err
		},
		"ListMetadata": func(ctx context.Context) error {
			_, err := metadata.ListMetadata(ctx, &metadatav1.ListMetadataRequest{})
			return err
		},
		"PutMetadata": func(ctx context.Context) error {
			_, err := metadata.PutMetadata(ctx, &metadatav1.PutMetadataRequest{Metadata: &metadatav1.Metadata{Id: "tt1", Title: "lost"}})
			return err
		},
		"GetAggregatedRating": func(ctx context.Context) error {
			_, err := rating.GetAggregatedRating(ctx, &ratingv1.GetAggregatedRatingRequest{RecordType: "movie", RecordId: "never-seen"})
			return err
		},
		"PutRating": func(ctx context.Context) error {
			_, err := rating.PutRating(ctx, &ratingv1.PutRatingRequest{RecordType: "movie", RecordId: "tt1", UserId: "105", Value: 1})
			return err
		},
	} {
		if got := status.Convert(call(t.Context())); got.Code() != codes.Unavailable || strings.Contains(got.Message(), "127.0.0.1") {
			t.Errorf("%s while the database is away = %v, want UNAVAILABLE without addresses", name, got)
		}
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
		p.wantProbe(t, "/readyz", http.StatusOK, "the database cannot be reached") // shown; reads have a fallback
		p.wantProbe(t, "/healthz", http.StatusOK, "ok")
		p.wantProbe(t, "/metrics", http.StatusOK, `fallbacks_total{answer="last_known",dependency="database"}`)
	}
	f.wantStaleReads(t)
	f.wantUnavailable(t)
	f.wantDetails(t, true, &moviev1.MovieRating{Value: 4, Count: 1, Stale: true})
	if _, err := f.details(t, "never-seen"); status.Code(err) != codes.Unavailable {
		t.Errorf("GetMovieDetails of a movie never seen = %v, want UNAVAILABLE", err)
	}
	f.movie.wantProbe(t, "/readyz", http.StatusOK, `"ready"`) // it has a fallback
	f.movie.wantProbe(t, "/metrics", http.StatusOK, `dependency="rating"`)

	startServer(t)
	eventually(t, func() error { // within a second the breakers let one call through
		got, err := f.details(t, "tt1")
		if err != nil {
			t.Fatalf("GetMovieDetails = %v, want no error at any time", err)
		}
		if got.GetStale() || got.GetRating().GetStale() {
			return fmt.Errorf("GetMovieDetails = %v, want it fresh", got)
		}
		return nil
	})
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
