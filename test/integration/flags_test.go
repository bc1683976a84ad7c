//go:build integration

package integration_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"movieexample.com/fleet/test/parts"
)

// recommending is a fleet in which one director made seven movies, tt1 one of them. metadata keeps in its cache what it has
// read, and reaches its database over the link.
func recommending(t *testing.T, settings, binding string) (fleet, *parts.Link) {
	t.Helper()
	database := migrated(t, "metadata")
	link := linked(t, database)
	f := fleet{metadata: serve(t, "metadata", mysqlStorage+"cache: {ttl: 1h}\n", database), rating: serve(t, "rating", "", "")}
	f.metadata.wantReady(t)
	f.rating.wantReady(t)
	f.movie = serve(t, "movie", fmt.Sprintf("upstreams: {metadata: {target: 'static:///%s'}, rating: {target: 'static:///%s', timeout: 2s}}\n%s",
		f.metadata.api, f.rating.api, settings), binding)
	f.movie.wantReady(t)
	f.putMovie(t)
	for i := range 6 {
		f.put(t, fmt.Sprint("tt", 9-i), "Foo Bars")
	}
	f.put(t, "tt0", "foo bars") // somebody else
	f.rate(t, "105", 4, time.Now())
	return f, link
}

func flagsFile(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "flags.yaml")
	writeFlags(t, file, text)
	return file
}

// writeFlags replaces the file: who reads it finds the text before or this one, and never a part.
func writeFlags(t *testing.T, file, text string) {
	t.Helper()
	if err := errors.Join(os.WriteFile(file+".new", []byte(text), 0o600), os.Rename(file+".new", file)); err != nil {
		t.Fatal(err)
	}
}

// linked puts a link before the server of the binding.
func linked(t *testing.T, binding string) *parts.Link {
	t.Helper()
	file := filepath.Join(binding, "port")
	port, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	link := parts.StartLink(t, net.JoinHostPort("127.0.0.1", string(port)))
	_, linkPort, err := net.SplitHostPort(link.Address)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(linkPort), 0o600); err != nil {
		t.Fatal(err)
	}
	return link
}

func (f fleet) eventuallyRecommended(t *testing.T, want ...string) {
	t.Helper()
	eventually(t, func() error {
		details, err := f.details(t, "tt1")
		if err != nil {
			return err
		}
		var got []string
		for _, r := range details.GetRecommendations() {
			if r.GetTitle() != "Movie "+r.GetId() {
				return fmt.Errorf("recommendation %v, want its title", r)
			}
			got = append(got, r.GetId())
		}
		if strings.Join(got, " ") != strings.Join(want, " ") {
			return fmt.Errorf("recommendations of tt1 = %v, want %v", got, want)
		}
		return nil
	})
}

func TestRecommendationsByAFlagInAFile(t *testing.T) {
	file := flagsFile(t, "{}")
	write := func(text string) { t.Helper(); writeFlags(t, file, text) }
	f, _ := recommending(t, "flags: {path: "+file+"}\n", "")
	f.eventuallyRecommended(t)
	write("recommendations: true\n")
	f.eventuallyRecommended(t, "tt4", "tt5", "tt6", "tt7", "tt8")
	f.movie.wantProbe(t, "/metrics", 200, `feature_flag_on{flag="recommendations"} 1`)
	write("recommendations: of course\n")
	f.movie.wantProbe(t, "/metrics", 200, `feature_flag_reads_total{outcome="refused",source="file"} 1`)
	f.eventuallyRecommended(t, "tt4", "tt5", "tt6", "tt7", "tt8")
	f.movie.wantLogged(t, `recommendations in line 1 is \"of course\": write true or false`)
	write("recommendations: false\n")
	f.eventuallyRecommended(t)
	f.movie.wantProbe(t, "/metrics", 200, `feature_flag_on{flag="recommendations"} 0`)
}

func (p *program) wantLogged(t *testing.T, part string) {
	t.Helper()
	eventually(t, func() error {
		if !strings.Contains(p.log.String(), part) {
			return fmt.Errorf("the log of %s does not hold %s", p.name, part)
		}
		return nil
	})
}

func TestRecommendationsByAFlagInConsul(t *testing.T) {
	const key = "flags/movie"
	consul := parts.StartConsul(t)
	put := func(value string) {
		t.Helper()
		if _, err := consul.Client(t).KV().Put(&api.KVPair{Key: key, Value: []byte(value)}, nil); err != nil {
			t.Fatal(err)
		}
	}
	file := flagsFile(t, "recommendations: true\n")
	all := []string{"tt4", "tt5", "tt6", "tt7", "tt8"}
	f, _ := recommending(t, "discovery: {kind: consul}\nflags: {path: "+file+", key: "+key+"}\n", consul.Binding(t))
	f.eventuallyRecommended(t, all...) // there is no key: as the file says
	put("recommendations: false\n")
	f.eventuallyRecommended(t)
	put("{recommendations:")
	f.movie.wantProbe(t, "/metrics", 200, `feature_flag_reads_total{outcome="refused",source="key"} 1`)
	f.eventuallyRecommended(t)
	put("recommendations: true\n")
	f.eventuallyRecommended(t, all...)
	put("recommendations: false\n")
	f.eventuallyRecommended(t)
	consul.Stop(t)
	f.movie.wantLogged(t, "Flags cannot be read now")
	f.eventuallyRecommended(t) // the last good ones
	consul.Start(t)            // empty: there is no key
	put("{}")
	f.eventuallyRecommended(t, all...) // as the file says
}

// Lists that fail, or that nothing is heard of, cost details nothing but the recommendations, and soon no time either.
func TestRecommendationsFail(t *testing.T) {
	file := flagsFile(t, "recommendations: true\n")
	f, link := recommending(t, "flags: {path: "+file+"}\n", "")
	all := []string{"tt4", "tt5", "tt6", "tt7", "tt8"}
	f.eventuallyRecommended(t, all...)
	for name, fault := range map[string]parts.Fault{"refused": {Refuse: true}, "swallowed": {Swallow: true}} {
		t.Run(name, func(t *testing.T) {
			before := f.movie.metric(t, `fallbacks_total{answer="none",dependency="recommendations"`)
			rejected := f.movie.metric(t, `breaker_rejected_total{dependency="recommendations"`)
			link.Set(fault)
			calls := 0.0
			for began := time.Now(); time.Since(began) < 2*time.Second; calls++ {
				got, err := f.details(t, "tt1")
				if err != nil || got.GetStale() || got.GetTitle() != "The Movie 2" || got.GetRating().GetCount() != 1 || len(got.GetRecommendations()) != 0 {
					t.Fatalf("GetMovieDetails = %v, %v, want the whole movie, without recommendations", got, err)
				}
			}
			if counted := f.movie.metric(t, `fallbacks_total{answer="none",dependency="recommendations"`) - before; counted != calls {
				t.Errorf("fallbacks_total counts %v of %v details without recommendations, want all", counted, calls)
			}
			if spared := f.movie.metric(t, `breaker_rejected_total{dependency="recommendations"`) - rejected; spared == 0 {
				t.Errorf("all of %v details waited for a list, want the breaker open after half a second", calls)
			}
			link.Set(parts.Fault{})
			f.eventuallyRecommended(t, all...)
		})
	}
}
