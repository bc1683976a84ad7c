//go:build integration

package integration_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	metadatav1 "movieexample.com/fleet/services/proto/metadata/v1"
	moviev1 "movieexample.com/fleet/services/proto/movie/v1"
	ratingv1 "movieexample.com/fleet/services/proto/rating/v1"
)

// outage is how long the database is away.
func outage() time.Duration {
	if testing.Short() {
		return 5 * time.Second
	}
	return 30 * time.Second
}

// load is callers who go on, whatever they are told. Each kind of call notes what its callers saw.
type load struct {
	mu    sync.Mutex
	phase string
	seen  map[string]map[string][]time.Duration // how long calls took, by kind and phase, and by what they ended in
	group sync.WaitGroup
}

// phases of the load: in those between, either end is right.
const (
	before  = "before"
	falling = "falling" // the database is going, and the breakers have not noticed
	away    = "away"
	rising  = "rising"
	after   = "after"
)

func (l *load) enter(phase string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.phase = phase
}

func (l *load) now() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.phase
}

func (l *load) note(kind, phase, end string, took time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := kind + " " + phase
	if l.seen[key] == nil {
		l.seen[key] = map[string][]time.Duration{}
	}
	l.seen[key][end] = append(l.seen[key][end], took)
}

// run makes calls of one kind until ctx ends. A call during which the phase changed belongs to none.
func (l *load) run(ctx context.Context, kind string, pause time.Duration, call func(ctx context.Context, n int) (end string)) {
	l.group.Go(func() {
		for n := 0; ctx.Err() == nil; n++ {
			phase, began := l.now(), time.Now()
			limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			end := call(limited, n)
			cancel()
			if l.now() == phase {
				l.note(kind, phase, end, time.Since(began))
			}
			time.Sleep(pause)
		}
	})
}

// of is how long the calls of a kind took in a phase, which must all have ended so, and be at least some.
func (l *load) of(t *testing.T, kind, phase string, ends ...string) []time.Duration {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []time.Duration
	for end, took := range l.seen[kind+" "+phase] {
		if !slices.Contains(ends, end) {
			t.Errorf("%s %s: %d calls ended in %s, want %v", kind, phase, len(took), end, ends)
		}
		all = append(all, took...)
	}
	if len(all) < enough {
		t.Errorf("%s %s: %d calls, want at least %d", kind, phase, len(all), enough)
	}
	slices.Sort(all)
	return all
}

// wantEnough waits until enough calls of each of the kinds were made in the phase that it is.
func (l *load) wantEnough(t *testing.T, kinds ...string) {
	t.Helper()
	phase := l.now()
	eventually(t, func() error {
		l.mu.Lock()
		defer l.mu.Unlock()
		for _, kind := range kinds {
			calls := 0
			for _, took := range l.seen[kind+" "+phase] {
				calls += len(took)
			}
			if calls < enough {
				return fmt.Errorf("%s %s: %d calls, want at least %d", kind, phase, calls, enough)
			}
		}
		return nil
	})
}

// enough calls show what becomes of a kind.
const enough = 10

// Kinds of calls, and how a good read ends.
const (
	warm          = "read of what is known"
	cold          = "read of what is not"
	coldRating    = "read of a rating that is not known"
	writeMetadata = "write of metadata"
	writeRating   = "write of a rating"

	fresh = "fresh"
	old   = "stale"
)

// begin has visitors who look at a film that is known, visitors who look for others, and people who write.
func (f fleet) begin(ctx context.Context, l *load) {
	movies, ratings := moviev1.NewMovieServiceClient(f.movie.conn), ratingv1.NewRatingServiceClient(f.rating.conn)
	records := metadatav1.NewMetadataServiceClient(f.metadata.conn)
	for range 4 {
		l.run(ctx, warm, 2*time.Millisecond, func(ctx context.Context, _ int) string {
			got, err := movies.GetMovieDetails(ctx, &moviev1.GetMovieDetailsRequest{MovieId: "tt1"})
			switch {
			case err != nil:
				return status.Code(err).String()
			case got.GetDetails().GetTitle() != "The Movie 2" || got.GetDetails().GetRating().GetCount() == 0:
				return "incomplete"
			case got.GetDetails().GetStale() && got.GetDetails().GetRating().GetStale():
				return old
			}
			return fresh
		})
	}
	l.run(ctx, cold, 10*time.Millisecond, func(ctx context.Context, n int) string {
		_, err := movies.GetMovieDetails(ctx, &moviev1.GetMovieDetailsRequest{MovieId: fmt.Sprint("unknown", n)})
		return status.Code(err).String()
	})
	l.run(ctx, coldRating, 10*time.Millisecond, func(ctx context.Context, n int) string {
		_, err := ratings.GetAggregatedRating(ctx, &ratingv1.GetAggregatedRatingRequest{RecordType: "movie", RecordId: fmt.Sprint("unknown", n)})
		return status.Code(err).String()
	})
	l.run(ctx, writeMetadata, 10*time.Millisecond, func(ctx context.Context, n int) string {
		_, err := records.PutMetadata(ctx, &metadatav1.PutMetadataRequest{Metadata: &metadatav1.Metadata{Id: fmt.Sprint("new", n%100), Title: "New"}})
		return status.Code(err).String()
	})
	l.run(ctx, writeRating, 10*time.Millisecond, func(ctx context.Context, n int) string {
		_, err := ratings.PutRating(ctx, &ratingv1.PutRatingRequest{RecordType: "movie", RecordId: "tt1", UserId: fmt.Sprint("u", n%100), Value: int32(n%5 + 1)})
		return status.Code(err).String()
	})
}

// rejected is how many calls the services' breakers kept from the database.
func (f fleet) rejected(t *testing.T) float64 {
	t.Helper()
	const name = `breaker_rejected_total{dependency="database"`
	return f.metadata.metric(t, name) + f.rating.metric(t, name)
}

// wantBreakersOpen waits until no call reaches the database but those that try it.
func (f fleet) wantBreakersOpen(t *testing.T) {
	t.Helper()
	for _, p := range []*program{f.metadata, f.rating} {
		eventually(t, func() error {
			if p.metric(t, `breaker_rejected_total{dependency="database"`) == 0 {
				return fmt.Errorf("%s keeps no call from its database, want its breaker open", p.name)
			}
			return nil
		})
	}
}

// wantBreakersClosed waits until everybody's calls reach whom they are for.
func (f fleet) wantBreakersClosed(t *testing.T) {
	t.Helper()
	for _, p := range []*program{f.metadata, f.rating, f.movie} {
		eventually(t, func() error {
			if p.metric(t, "breaker_state{") != 0 {
				return fmt.Errorf("%s keeps calls back still, want its breakers closed", p.name)
			}
			return nil
		})
	}
}

// eventuallyWell waits until a visitor sees all of a film as it is.
func (f fleet) eventuallyWell(t *testing.T) {
	t.Helper()
	eventually(t, func() error {
		got, err := f.details(t, "tt1")
		if err == nil && (got.GetStale() || got.GetRating().GetStale()) {
			err = fmt.Errorf("GetMovieDetails = %v, want it fresh", got)
		}
		return err
	})
}

// The database of all is stopped for half a minute under load: visitors of a known film notice nothing, all others learn
// at once, and everything heals by itself.
func TestDatabaseIsAwayUnderLoad(t *testing.T) {
	f := startFleet(t)
	f.putMovie(t)
	f.rate(t, "105", 4, time.Now())
	f.eventuallyWell(t)
	kinds := []string{warm, cold, coldRating, writeMetadata, writeRating}
	l := &load{phase: before, seen: map[string]map[string][]time.Duration{}}
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(func() { stop(); l.group.Wait() })
	f.begin(ctx, l)
	time.Sleep(2 * time.Second) // of calls that must go well
	l.wantEnough(t, kinds...)

	l.enter(falling)
	stopServer(t)
	eventually(t, func() error { // the cache of metadata ends
		if got, err := f.details(t, "tt1"); err != nil || !got.GetStale() {
			return fmt.Errorf("GetMovieDetails = %v, %w, want it stale", got, err)
		}
		return nil
	})
	f.wantBreakersOpen(t)
	l.wantEnough(t, warm)
	l.enter(away)
	const attempts = `grpc_client_handled_total{code="Unavailable",revision="abc123",target="metadata"`
	spared, tried := f.rejected(t), f.movie.metric(t, attempts)
	time.Sleep(outage())
	l.wantEnough(t, kinds...)
	spared, tried = f.rejected(t)-spared, f.movie.metric(t, attempts)-tried

	l.enter(rising)
	startServer(t)
	f.eventuallyWell(t)
	f.wantBreakersClosed(t)
	l.wantEnough(t, warm)
	l.enter(after)
	time.Sleep(2 * time.Second) // of calls that must go well
	l.wantEnough(t, kinds...)
	stop()
	l.group.Wait()

	l.wantUnnoticed(t)
	l.wantQuick(t, spared, tried)
	for _, p := range []*program{f.metadata, f.rating, f.movie} {
		if !p.running() {
			t.Errorf("%s ended: %v", p.name, p.err)
		}
	}
}

// wantUnnoticed wants that reads of what is known never failed, and that all was well before and after.
func (l *load) wantUnnoticed(t *testing.T) {
	t.Helper()
	for _, phase := range []string{before, after} {
		l.of(t, warm, phase, fresh)
		l.of(t, cold, phase, codes.NotFound.String())
		l.of(t, coldRating, phase, codes.NotFound.String())
		l.of(t, writeMetadata, phase, codes.OK.String())
		l.of(t, writeRating, phase, codes.OK.String())
	}
	for _, phase := range []string{falling, rising} {
		l.of(t, warm, phase, fresh, old)
	}
	t.Logf("reads of what is known took %s at the median", middle(l.of(t, warm, away, old)))
}

// wantQuick wants that whoever got no answer learnt it without waiting: spared calls did not reach the database, and movie
// tried as often at metadata.
func (l *load) wantQuick(t *testing.T, spared, tried float64) {
	t.Helper()
	all := 0
	for _, kind := range []string{cold, coldRating, writeMetadata, writeRating} {
		took := l.of(t, kind, away, codes.Unavailable.String())
		t.Logf("%s was UNAVAILABLE in %s at the median of %d calls", kind, middle(took), len(took))
		if kind != cold { // between that one and the database stands a breaker of movie's
			all += len(took)
			continue
		}
		if most := 1.1*float64(len(took)) + 2*(1+outage().Seconds()); tried == 0 || tried > most { // one a second is let through
			t.Errorf("movie made %v attempts at metadata that failed for %d reads, want some and at most %v: to repeat them is in vain", tried, len(took), most)
		}
	}
	if spared < 0.9*float64(all) {
		t.Errorf("the breakers kept %v calls from the database, want nearly all of the %d that no fallback answers and more", spared, all)
	}
}

func middle(sorted []time.Duration) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[len(sorted)/2]
}
