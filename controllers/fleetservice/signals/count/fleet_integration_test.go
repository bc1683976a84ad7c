//go:build integration

package count_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/utils/clock"

	"movieexample.com/fleet/controllers/fleetservice/signals"
	"movieexample.com/fleet/controllers/fleetservice/signals/count"
	"movieexample.com/fleet/test/ports"
)

// program is a service of the fleet, with its addresses.
type program struct{ api, rest, admin string }

// run builds a service and serves it from memory as one revision, until the test ends.
func run(t *testing.T, service, revision, settings string) program {
	t.Helper()
	dir := t.TempDir()
	binary := filepath.Join(dir, service)
	if out, err := exec.Command("go", "build", "-o", binary, "movieexample.com/fleet/services/"+service+"/cmd").CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", service, err, out)
	}
	api, rest, admin := ports.Free(t), ports.Free(t), ports.Free(t)
	config := filepath.Join(dir, "config.yaml")
	text := fmt.Sprintf("api: {port: %d}\nrest: {port: %d}\nadmin: {port: %d}\nshutdown: {propagation: 0s, deadline: 2s}\n%s", api, rest, admin, settings)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	command := exec.Command(binary)
	command.Env = []string{"FLEET_CONFIG=" + config, "FLEET_REVISION=" + revision}
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Signal(syscall.SIGTERM)
		_ = command.Wait()
	})
	at := func(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
	p := program{at(api), at(rest), at(admin)}
	for deadline := time.Now().Add(30 * time.Second); ask(http.MethodGet, "http://"+p.admin+"/readyz", "") != http.StatusOK; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s is not ready", service)
		}
	}
	return p
}

// ask is the status of an answer; 0 is none.
func ask(method, url, body string) int {
	request, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		return 0
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0
	}
	defer http.DefaultClient.CloseIdleConnections()
	defer func() { _ = response.Body.Close() }()
	return response.StatusCode
}

// TestFleet reads the pages of the fleet's own programs: that is what the defaults must fit.
func TestFleet(t *testing.T) {
	rating := run(t, "rating", canary, "")
	metadata := run(t, "metadata", "mmmm", "")
	movie := run(t, "movie", "vvvv", fmt.Sprintf("upstreams:\n  rating: {target: \"static:///%s\", timeout: 20s}\n  metadata: {target: \"static:///%s\", timeout: 20s}\n", rating.api, metadata.api))
	for _, c := range []struct {
		method, url, body string
		want, times       int
	}{
		{http.MethodPut, "http://" + metadata.rest + "/v1/metadata/m1", `{"title": "Heat"}`, http.StatusOK, 1},
		{http.MethodPut, "http://" + rating.rest + "/v1/ratings/movie/m1", `{"user_id": "u", "value": 4}`, http.StatusOK, 3},
		{http.MethodGet, "http://" + rating.rest + "/v1/ratings/movie/unknown", "", http.StatusNotFound, 2},
		{http.MethodGet, "http://" + movie.rest + "/v1/movies/m1", "", http.StatusOK, 5},
	} {
		for range c.times {
			if got := ask(c.method, c.url, c.body); got != c.want {
				t.Fatalf("%s %s = %d, want %d", c.method, c.url, got, c.want)
			}
		}
	}
	reader := count.NewReader(clock.RealClock{})
	defer reader.Close()
	request := count.Request{
		Canary: canary, Stable: stable, Upstreams: []string{"rating"}, Meaning: meaning(5000),
		Pods:    []count.PodTarget{{UID: "1", Name: "rating-1", Revision: canary, Began: time.Now().Add(-time.Second), Address: rating.admin}},
		Callers: []count.CallerTarget{{UID: "2", Name: "movie-1", Address: movie.admin}},
	}
	reading, findings := reader.Read(context.Background(), request)
	hasty := func() bool { return reading.Slow != "" || reading.Pods[0].Err != "" || reading.Callers[0].Err != "" }
	for deadline := time.Now().Add(30 * time.Second); hasty() && time.Now().Before(deadline); { // a page has half a second
		reading, findings = reader.Read(context.Background(), request)
	}
	if findings.Unmeasurable != "" || reading.Slow != "" {
		t.Errorf("Read found %q, slow: %q, want all measured at once", findings.Unmeasurable, reading.Slow)
	}
	wantPod := map[string]signals.Total{"errors": {Requests: 10}, "refusals": {Requests: 10, Bad: 2}, "latency": {Requests: 10}}
	if diff := cmp.Diff(wantPod, reading.Pods[0].Totals); diff != "" || reading.Pods[0].Err != "" {
		t.Errorf("rating's own page (-want +got):\n%s%s", diff, reading.Pods[0].Err)
	}
	wantCaller := map[string]map[string]signals.Total{canary: {"errors": {Requests: 5}, "refusals": {Requests: 5}, "latency": {Requests: 5}}}
	if diff := cmp.Diff(wantCaller, reading.Callers[0].Revisions); diff != "" || reading.Callers[0].Err != "" {
		t.Errorf("movie's page about rating (-want +got):\n%s%s", diff, reading.Callers[0].Err)
	}
	request.Meaning = meaning(75)
	if _, findings = reader.Read(context.Background(), request); !strings.Contains(findings.Unmeasurable, "75 ms is no bucket of grpc_server_handling_seconds") {
		t.Errorf("Unmeasurable = %q, want the buckets that there are", findings.Unmeasurable)
	}
}
