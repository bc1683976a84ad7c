package app

import (
	"net/http"
	"syscall"
	"testing"

	"movieexample.com/fleet/test/parts"
)

func TestTracesAreFlushedAtTheEnd(t *testing.T) {
	collector := parts.StartCollector(t)
	r := launch(t, program(fine, always()), "--port", "0", "--shutdown.propagation", "0s",
		"--telemetry.traces.endpoint", collector.Endpoint(), "--telemetry.traces.ratio", "1")
	if code, body := r.get(t, r.rest+"/v1/ratings/movie/1"); code != http.StatusOK {
		t.Fatalf("GET = %d %s, want 200", code, body)
	}
	r.signals <- syscall.SIGTERM
	if code := <-r.exit; code != exitOK {
		t.Errorf("exit = %d, want 0; stderr: %s", code, r.stderr)
	}
	got := collector.Spans()
	if len(got) != 1 || got[0].Name != "rating.v1.RatingService/GetAggregatedRating" || got[0].Resource["fleet.revision"] != "abc" {
		t.Errorf("after the end the collector has %+v, want the one call's span", got)
	}
}
