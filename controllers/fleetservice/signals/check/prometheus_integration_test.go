//go:build integration

package check_test

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/fleetservice/signals/check"
	"movieexample.com/fleet/test/ports"
)

// startPrometheus serves a real Prometheus that scrapes itself as if it were the canary, until the test ends.
func startPrometheus(t *testing.T) string {
	t.Helper()
	program, err := exec.LookPath("prometheus")
	if err != nil {
		t.Fatal("prometheus is not in PATH: apt-get install --no-install-recommends prometheus")
	}
	dir, address := t.TempDir(), ports.Address(t)
	config := filepath.Join(dir, "prometheus.yml")
	text := fmt.Sprintf("global: {scrape_interval: 1s}\nscrape_configs:\n- job_name: pods\n  static_configs: [{targets: [%q], labels: {namespace: movies, service: rating, revision: cccc}}]\n", address)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	command := exec.Command(program, "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+address, "--log.level=error")
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	command.Stderr = os.Stderr
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Signal(syscall.SIGTERM)
		_ = command.Wait()
	})
	defer http.DefaultClient.CloseIdleConnections()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if response, err := http.Get("http://" + address + "/-/ready"); err == nil {
			_ = response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return "http://" + address
			}
		}
	}
	t.Fatal("prometheus is not ready after 30s")
	return ""
}

func TestRealPrometheus(t *testing.T) {
	url := startPrometheus(t)
	a := asker(t, "127.0.0.1")
	ask := func(query, most string) check.Answer {
		policy := &v1alpha1.SignalPolicy{Prometheus: &v1alpha1.PrometheusSignal{URL: url, Queries: []v1alpha1.PrometheusQuery{{Name: "up", Query: query, Max: most}}}}
		return a.Panel(policy, ours).Ask(t.Context(), rollout)
	}
	const pods = `count(up{namespace="$namespace",service="$service",revision="$canary"})`
	for deadline := time.Now().Add(15 * time.Second); ask(pods, "1").Verdict == check.Unknown; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s = %+v after 15s, want a number", pods, ask(pods, "1"))
		}
	}
	for name, c := range map[string]struct {
		query, max string
		want       check.Verdict
		words      string
	}{
		"vector within":     {pods, "1", check.Pass, ""},
		"vector too large":  {pods, "0.5", check.Wait, "query up gives 1, more than 0.5: 1 of the 3 times in a row"},
		"scalar":            {"scalar(vector(3))", "5", check.Pass, ""},
		"stable has none":   {`up{revision="$stable"}`, "1", check.Unknown, "gives 0 series"},
		"many":              {`{job="pods"}`, "1", check.Unknown, "the answer is longer than"},
		"division by none":  {"sum(up*0) / sum(up*0)", "1", check.Unknown, `gives "NaN"`},
		"range":             {"up[1m]", "1", check.Unknown, "gives a matrix"},
		"string":            {`"text"`, "1", check.Unknown, "gives a string"},
		"not PromQL at all": {"sum(", "1", check.Unknown, "it answers 400: invalid parameter"},
	} {
		t.Run(name, func(t *testing.T) { expect(t, ask(c.query, c.max), c.want, c.words) })
	}
}
