//go:build integration

package integration_test

import (
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"movieexample.com/fleet/test/parts"
)

// The trace of a change goes on where others are told of it, over the outbox and the broker.
func TestATraceGoesOnAcrossTheBroker(t *testing.T) {
	broker, collector := startKafka(t), parts.StartCollector(t)
	broker.Topic(t, topic, 1)
	settings := fmt.Sprintf("events: {kind: kafka}\ntelemetry: {traces: {endpoint: %q, ratio: 1}}\n", collector.Endpoint())
	binding, none := migrated(t, "metadata"), filepath.Join(t.TempDir(), "none")
	broker.User(t).MayWrite(t, topic).WriteBinding(t, filepath.Join(filepath.Dir(binding), "kafka"))
	broker.User(t).MayRead(t, topic).WriteBinding(t, filepath.Join(filepath.Dir(none), "kafka"))
	metadata := serve(t, "metadata", mysqlStorage+settings, binding)
	movie := serve(t, "movie", settings+fmt.Sprintf("upstreams: {metadata: {target: 'static:///%s'}}\n", metadata.api), none)
	metadata.wantReady(t)
	movie.wantReady(t)

	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://"+metadata.rest+"/v1/metadata/tt1", strings.NewReader(`{"title": "The Movie 2"}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("traceparent", "00-"+callersTrace+"-"+callersSpan+"-01")
	response, err := http.DefaultClient.Do(r)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("PUT /v1/metadata/tt1 = %v, %v, want 200", response, err)
	}
	defer func() { _ = response.Body.Close() }()

	collector.Wait(t, "movie's part of the trace, below metadata's", func(spans []parts.Span) bool {
		of := inTrace(spans, callersTrace)
		published := slices.IndexFunc(of, func(s parts.Span) bool {
			return s.Name == "publish "+topic && s.Resource["service.name"] == "metadata"
		})
		return published >= 0 && slices.ContainsFunc(of, func(s parts.Span) bool {
			return s.Name == "process "+topic && s.Resource["service.name"] == "movie" && s.Parent == of[published].ID
		})
	})
}
