//go:build envtest && bench

package scale

import (
	"bufio"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"movieexample.com/fleet/test/apiserver"
	"movieexample.com/fleet/test/ports"
)

// operator is the real program, built and run as users have it.
type operator struct {
	t       *testing.T
	cmd     *exec.Cmd
	metrics string
}

func startOperator(t *testing.T, kubeconfig []byte) *operator {
	t.Helper()
	dir := t.TempDir()
	program, config := filepath.Join(dir, "manager"), filepath.Join(dir, "kubeconfig")
	build := exec.Command("go", "build", "-o", program, "./cmd/manager")
	build.Dir = apiserver.Root()
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the operator: %v\n%s", err, out)
	}
	if err := os.WriteFile(config, kubeconfig, 0o600); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	o := &operator{t: t, metrics: ports.Address(t)}
	o.cmd = exec.Command(program, "--leader-elect=false", "--health-probe-bind-address=0", "--metrics-bind-address="+o.metrics, "--kubeconfig="+config)
	o.cmd.Stderr = log
	if err := o.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = o.cmd.Process.Signal(syscall.SIGTERM) // it may have ended, which Wait tells
		err := o.cmd.Wait()
		if words, _ := os.ReadFile(log.Name()); err != nil || t.Failed() {
			t.Logf("the operator ended: %v; its last words:\n%s", err, words[max(0, len(words)-4000):])
		}
		_ = log.Close()
	})
	o.answers()
	return o
}

// answers waits until the operator shows its metrics.
func (o *operator) answers() {
	o.t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); <-time.After(50 * time.Millisecond) {
		if resp, err := http.Get("http://" + o.metrics + "/metrics"); err == nil {
			_ = resp.Body.Close()
			return
		}
	}
	o.t.Fatal("the operator does not show its metrics within a minute")
}

// usage is what the operator has used since it began.
type usage struct {
	at    time.Time
	cpu   time.Duration
	calls map[string]float64 // of the API server, by HTTP method
}

func (o *operator) usage() usage {
	o.t.Helper()
	u := usage{at: time.Now(), calls: map[string]float64{}}
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", o.cmd.Process.Pid))
	if err != nil {
		o.t.Fatalf("the operator is gone: %v", err)
	}
	fields := strings.Fields(string(raw[strings.LastIndexByte(string(raw), ')')+1:]))
	for _, ticks := range fields[11:13] { // utime and stime, in hundredths of a second
		n, err := strconv.Atoi(ticks)
		if err != nil {
			o.t.Fatal(err)
		}
		u.cpu += time.Duration(n) * 10 * time.Millisecond
	}
	resp, err := http.Get("http://" + o.metrics + "/metrics")
	if err != nil {
		o.t.Fatalf("ask the operator's metrics: %v", err)
	}
	defer func() { _ = resp.Body.Close() }()
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), "rest_client_requests_total{"); ok {
			labels, value, _ := strings.Cut(rest, "} ")
			_, method, _ := strings.Cut(labels, `method="`)
			n, err := strconv.ParseFloat(value, 64)
			if err != nil {
				o.t.Fatal(err)
			}
			u.calls[strings.TrimSuffix(method, `"`)] += n
		}
	}
	return u
}

// peak is the most memory that the operator has ever held, in MiB.
func (o *operator) peak() int {
	o.t.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", o.cmd.Process.Pid))
	if err != nil {
		o.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(raw), "VmHWM:")
	kib, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		o.t.Fatal(err)
	}
	return kib / 1024
}
