//go:build integration

package integration_test

import (
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"movieexample.com/fleet/test/parts"
)

// memoryFleet is the three services without a database; movie reaches rating over a link that can be broken, with the
// time limit that it has by itself.
func memoryFleet(t *testing.T) (fleet, *parts.Link) {
	t.Helper()
	f := fleet{metadata: serve(t, "metadata", "", ""), rating: serve(t, "rating", "", "")}
	f.metadata.wantReady(t)
	f.rating.wantReady(t)
	link := parts.StartLink(t, f.rating.api)
	f.movie = serve(t, "movie", fmt.Sprintf("upstreams: {metadata: {target: 'static:///%s', timeout: 2s}, rating: {target: 'static:///%s'}}\n",
		f.metadata.api, link.Address), "")
	f.movie.wantReady(t)
	f.putMovie(t)
	f.rate(t, "105", 4, time.Now())
	f.eventuallyFresh(t)
	return f, link
}

func (f fleet) eventuallyFresh(t *testing.T) {
	t.Helper()
	eventually(t, func() error {
		got, err := f.details(t, "tt1")
		if err == nil && (got.GetRating().GetCount() != 1 || got.GetRating().GetStale()) {
			err = fmt.Errorf("GetMovieDetails = %v, want a fresh rating", got)
		}
		return err
	})
}

// metric is the sum of the program's series whose names and labels begin so.
func (p *program) metric(t *testing.T, prefix string) float64 {
	t.Helper()
	got, err := request(t, http.MethodGet, "http://"+p.admin+"/metrics", "")
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for line := range strings.Lines(got.body) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "} "); ok && strings.HasPrefix(name+"}", prefix) {
			var v float64
			if _, err := fmt.Sscan(value, &v); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			sum += v
		}
	}
	return sum
}

// Whatever becomes of ratings, details are had without an error, and after the first second without waiting for them.
func TestRatingsDie(t *testing.T) {
	t.Parallel()
	for name, kill := range map[string]func(*testing.T, fleet, *parts.Link) (undo func()){
		"stopped": func(_ *testing.T, _ fleet, link *parts.Link) func() {
			link.Set(parts.Fault{Refuse: true})
			return func() { link.Set(parts.Fault{}) }
		},
		"frozen": func(t *testing.T, f fleet, _ *parts.Link) func() {
			if err := f.rating.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
				t.Fatal(err)
			}
			eventually(t, func() error { // every thread has stopped
				stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", f.rating.cmd.Process.Pid))
				if err == nil && !strings.Contains(string(stat), ") T ") {
					err = fmt.Errorf("stat = %s, want state T", stat)
				}
				return err
			})
			return func() { _ = f.rating.cmd.Process.Signal(syscall.SIGCONT) }
		},
		"swallowed by the network": func(_ *testing.T, _ fleet, link *parts.Link) func() {
			link.Set(parts.Fault{Swallow: true})
			return func() { link.Set(parts.Fault{}) }
		},
		"swallowed, and its connections cut": func(_ *testing.T, _ fleet, link *parts.Link) func() {
			link.Set(parts.Fault{Swallow: true})
			link.Cut()
			return func() { link.Set(parts.Fault{}) }
		},
		"slow": func(_ *testing.T, _ fleet, link *parts.Link) func() {
			link.Set(parts.Fault{Delay: 2 * time.Second})
			return func() { link.Set(parts.Fault{}) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			f, link := memoryFleet(t)
			undo := kill(t, f, link)
			defer undo()
			for began := time.Now(); time.Since(began) < time.Second; {
				f.wantStaleRating(t)
			}
			made, rejected := f.movie.metric(t, `grpc_client_handled_total{code=`), f.movie.metric(t, "breaker_rejected_total{")
			var took []time.Duration
			began := time.Now()
			for range 300 {
				before := time.Now()
				f.wantStaleRating(t)
				took = append(took, time.Since(before))
				time.Sleep(5 * time.Millisecond)
			}
			lasted := time.Since(began)
			slices.Sort(took)
			t.Logf("GetMovieDetails while ratings are dead took %s at the median, %s at 99 %%", took[150], took[297])
			tried := f.movie.metric(t, `grpc_client_handled_total{code=`) - made - 300 // metadata has one each
			spared := f.movie.metric(t, "breaker_rejected_total{") - rejected
			if most := 3 * (2 + lasted.Seconds()); tried > most || spared < 250 {
				t.Errorf("300 details in %s made %v attempts at rating and spared %v, want at most %v and 250 or more", lasted, tried, spared, most)
			}
			undo()
			f.eventuallyFresh(t)
		})
	}
}

func (f fleet) wantStaleRating(t *testing.T) {
	t.Helper()
	got, err := f.details(t, "tt1")
	if err != nil || got.GetStale() || got.GetRating().GetCount() != 1 || !got.GetRating().GetStale() {
		t.Fatalf("GetMovieDetails = %v, %v, want the last known rating, marked stale", got, err)
	}
}

// movie is the caller nearest the user, so that it repeats what may be repeated; and once metadata is known to be dead, a
// cold read is refused without a call.
func TestMetadataIsDown(t *testing.T) {
	movie := serve(t, "movie", "upstreams: {metadata: {target: 'static:///127.0.0.1:1', timeout: 2s}, rating: {target: 'static:///127.0.0.1:1'}}\n", "")
	movie.wantReady(t)
	f := fleet{movie: movie}
	attempts := func() float64 {
		return movie.metric(t, `grpc_client_handled_total{code="Unavailable",revision="",target="metadata"}`)
	}
	if _, err := f.details(t, "tt1"); status.Code(err) != codes.Unavailable {
		t.Errorf("GetMovieDetails = %v, want UNAVAILABLE", err)
	}
	if got := attempts(); got != 3 {
		t.Errorf("one call made %v attempts at metadata, want 3", got)
	}
	eventually(t, func() error {
		_, err := f.details(t, "tt1")
		if movie.metric(t, `breaker_state{dependency="metadata"}`) != 2 {
			return fmt.Errorf("the breaker is not open after GetMovieDetails = %w", err)
		}
		return nil
	})
	before := attempts()
	for range 50 {
		if _, err := f.details(t, "tt1"); status.Code(err) != codes.Unavailable {
			t.Errorf("GetMovieDetails with the breaker open = %v, want UNAVAILABLE", err)
		}
	}
	if got := attempts() - before; got > 30 { // one call a second tries in the background whether it is back
		t.Errorf("50 calls with the breaker open made %v attempts at metadata, want those of few probes", got)
	}
}

// TestUpstreamsByName is how services find each other without Consul: as in a cluster, by the names of Service objects.
func TestUpstreamsByName(t *testing.T) {
	f := fleet{metadata: serve(t, "metadata", "", ""), rating: serve(t, "rating", "", "")}
	f.metadata.wantReady(t)
	f.rating.wantReady(t)
	byName := func(address string) string { return "dns:///localhost" + strings.TrimPrefix(address, "127.0.0.1") }
	f.movie = serve(t, "movie", fmt.Sprintf("upstreams: {metadata: {target: '%s'}, rating: {target: '%s'}}\n", byName(f.metadata.api), byName(f.rating.api)), "")
	f.movie.wantReady(t)
	f.putMovie(t)
	f.rate(t, "105", 4, time.Now())
	f.eventuallyFresh(t)
	if log := f.movie.log.String(); strings.Count(log, "Following the registry") != 2 {
		t.Errorf("movie's log = %q, want a line for each name that it follows", log)
	}
}
