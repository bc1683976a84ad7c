//go:build integration

package integration_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"movieexample.com/fleet/test/parts"
)

const (
	callersTrace = "0af7651916cd43dd8448eb211c80319c"
	callersSpan  = "b7ad6b7169203331"
)

// tracedFleet records every trace.
func tracedFleet(t *testing.T) (fleet, *parts.Collector) {
	t.Helper()
	collector := parts.StartCollector(t)
	f := startFleetWith(t, fmt.Sprintf("telemetry: {traces: {endpoint: %q, ratio: 1}}\n", collector.Endpoint()))
	return f, collector
}

// steps lists a trace's spans as "service: name", below each their children, sorted.
func steps(spans []parts.Span, parent, indent string) []string {
	var list []string
	for _, s := range spans {
		if s.Parent == parent {
			line := indent + s.Resource["service.name"] + ": " + s.Name
			list = append(list, strings.Join(append([]string{line}, steps(spans, s.ID, indent+"  ")...), "\n"))
		}
	}
	slices.Sort(list)
	return list
}

func inTrace(spans []parts.Span, trace string) []parts.Span {
	return slices.DeleteFunc(slices.Clone(spans), func(s parts.Span) bool { return s.Trace != trace })
}

func TestOneTraceSpansTheFleetAndItsDatabases(t *testing.T) {
	f, collector := tracedFleet(t)
	f.putMovie(t)
	f.rate(t, "105", 4, time.Now())

	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+f.movie.rest+"/v1/movies/tt1", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("traceparent", "00-"+callersTrace+"-"+callersSpan+"-01")
	response, err := http.DefaultClient.Do(r)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("GET /v1/movies/tt1 = %v, %v, want 200", response, err)
	}
	defer func() { _ = response.Body.Close() }()

	const size = 9
	all := collector.Wait(t, "the whole trace", func(spans []parts.Span) bool { return len(inTrace(spans, callersTrace)) >= size })
	want := `movie: movie.v1.MovieService/GetMovieDetails
  movie: metadata.v1.MetadataService/GetMetadata
    metadata: metadata.v1.MetadataService/GetMetadata
      metadata: Repository/Get
        metadata: SELECT
  movie: rating.v1.RatingService/GetAggregatedRating
    rating: rating.v1.RatingService/GetAggregatedRating
      rating: Repository/Aggregate
        rating: SELECT`
	if diff := cmp.Diff(want, strings.Join(steps(inTrace(all, callersTrace), callersSpan, ""), "\n")); diff != "" {
		t.Errorf("the trace that began before the REST request (-want +got):\n%s", diff)
	}
	for _, s := range all {
		if s.Resource["fleet.revision"] != revision {
			t.Errorf("span %s has the resource %v, want fleet.revision %s", s.Name, s.Resource, revision)
		}
	}
}

func TestTransactionsAreInTheirTrace(t *testing.T) {
	f, collector := tracedFleet(t)
	f.rate(t, "105", 4, time.Now())
	const method = "rating.v1.RatingService/PutRating"
	put := func(spans []parts.Span) int {
		return slices.IndexFunc(spans, func(s parts.Span) bool { return s.Name == method })
	}
	all := collector.Wait(t, "a trace of PutRating", func(spans []parts.Span) bool { return put(spans) >= 0 })
	root := all[put(all)]
	got := strings.Join(steps(inTrace(all, root.Trace), root.ID, ""), "\n")
	for _, want := range []string{"rating: sql.conn.begin_tx", "rating: SELECT", "rating: INSERT", "rating: sql.tx.commit"} {
		if !strings.Contains(got, want) {
			t.Errorf("the trace of PutRating is\n%s\nwant %s in it", got, want)
		}
	}
	for _, s := range all {
		for key, value := range s.Attributes {
			if strings.Contains(value, "105") && !strings.Contains(key, "port") {
				t.Errorf("span %s has %s = %s, want no user in it", s.Name, key, value)
			}
		}
	}
}

func TestFallbackShowsInLogAndTrace(t *testing.T) {
	collector := parts.StartCollector(t)
	settings := fmt.Sprintf("telemetry: {traces: {endpoint: %q, ratio: 1}}\n", collector.Endpoint())
	metadata := serve(t, "metadata", settings, "")
	metadata.wantReady(t)
	movie := serve(t, "movie", fmt.Sprintf("upstreams: {metadata: {target: 'static:///%s', timeout: 2s}, rating: {target: 'static:///127.0.0.1:1', timeout: 2s}}\n",
		metadata.api)+settings, "")
	movie.wantReady(t)
	f := fleet{metadata: metadata, movie: movie}
	f.putMovie(t)
	f.wantDetails(t, false, nil)

	warned := func(s parts.Span) bool {
		return slices.ContainsFunc(s.Events, func(e parts.Event) bool { return e.Name == "Falling back" })
	}
	all := collector.Wait(t, "a span with the warning", func(spans []parts.Span) bool { return slices.ContainsFunc(spans, warned) })
	span := all[slices.IndexFunc(all, warned)]
	for line := range strings.SplitSeq(f.movie.log.String(), "\n") {
		if strings.Contains(line, "Falling back") && !strings.Contains(line, fmt.Sprintf(`"trace_id":%q,"span_id":%q`, span.Trace, span.ID)) {
			t.Errorf("log line = %s, want the trace and span of the request: %s %s", line, span.Trace, span.ID)
		}
	}
}

func TestCallsWithoutACollector(t *testing.T) {
	f, collector := tracedFleet(t)
	f.putMovie(t)
	collector.Stop(t)
	for range 20 {
		f.wantDetails(t, false, nil)
	}
	eventually(t, func() error {
		got, err := request(t, http.MethodGet, "http://"+f.movie.admin+"/metrics", "")
		if err == nil && strings.Contains(got.body, `trace_spans_total{outcome="failed"} 0`) {
			err = errors.New("no span is counted as failed, want those of twenty calls")
		}
		return err
	})
	f.movie.wantProbe(t, "/readyz", http.StatusOK, `"ready"`)
}
