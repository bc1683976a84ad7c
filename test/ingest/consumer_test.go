//go:build integration

package ingest_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"

	"movieexample.com/fleet/test/docs/catalogue"
	"movieexample.com/fleet/test/ports"
)

// consumer is a process of `rating ingest`.
type consumer struct {
	name  string
	admin string
	cmd   *exec.Cmd
	log   output
	done  chan struct{} // closed when it has ended; then err is its exit
	err   error
}

// output may be read while the program writes.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// swift is a setting under which a killed consumer's partitions go to others soon: and those of one that a busy machine does
// not let speak for as long.
const swift = "--ingest.sessionTimeout=2s"

// start starts a consumer. If it still runs when the test ends it must end well.
func (w *world) start(t *testing.T, name string, args ...string) *consumer {
	t.Helper()
	return w.startWith(t, name, rating, nil, args...)
}

// startWith starts one of another build, with further variables of its environment.
func (w *world) startWith(t *testing.T, name, program string, env []string, args ...string) *consumer {
	t.Helper()
	port := ports.Free(t)
	c := &consumer{name: name, admin: fmt.Sprintf("http://127.0.0.1:%d", port), done: make(chan struct{})}
	c.cmd = w.command(t, append([]string{"ingest", fmt.Sprintf("--admin.port=%d", port)}, args...)...)
	c.cmd.Path = program
	c.cmd.Env = append(append(c.cmd.Env, "POD_NAME="+name), env...)
	c.cmd.Stdout, c.cmd.Stderr = &c.log, &c.log
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { c.err = c.cmd.Wait(); close(c.done) }() // end and kill wait for it
	t.Cleanup(func() {
		c.end(t)
		if t.Failed() || testing.Verbose() {
			t.Logf("log of %s:\n%s", name, &c.log)
		}
	})
	eventually(t, patience, func(ctx context.Context) error { // from now on it takes signals and shows metrics
		response, err := c.get(ctx, "/healthz")
		if err != nil {
			return err
		}
		return response.Body.Close()
	})
	return c
}

func (c *consumer) running() bool {
	select {
	case <-c.done:
		return false
	default:
		return true
	}
}

// end stops the consumer as a kubelet would. One that was killed is no failure.
func (c *consumer) end(t *testing.T) {
	t.Helper()
	if !c.running() {
		return
	}
	_ = c.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-c.done:
		if c.err != nil {
			t.Errorf("%s after SIGTERM = %v, want exit code 0", c.name, c.err)
		}
	case <-time.After(patience):
		t.Errorf("%s did not end in %v and was killed", c.name, patience)
		c.kill()
	}
}

// kill is the loss of the machine.
func (c *consumer) kill() {
	_ = c.cmd.Process.Kill()
	<-c.done
}

func (c *consumer) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := c.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

func (c *consumer) get(ctx context.Context, path string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.admin+path, nil)
	if err != nil {
		return nil, err
	}
	return http.DefaultClient.Do(r)
}

func (c *consumer) wantReady(t *testing.T) {
	t.Helper()
	eventually(t, patience, func(ctx context.Context) error {
		response, err := c.get(ctx, "/readyz")
		if err != nil {
			return err
		}
		defer func() { _ = response.Body.Close() }()
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("/readyz of %s = %s, want 200", c.name, response.Status)
		}
		return nil
	})
}

// metric is the sum of the family's series that have the label's value; with no label, of all.
func (c *consumer) metric(t *testing.T, name string, label ...string) float64 {
	t.Helper()
	response, err := c.get(t.Context(), "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	shown, err := catalogue.Parse(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, m := range shown[name].GetMetric() {
		if len(label) == 0 || labelled(m, label[0], label[1]) {
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return sum
}

// wantMetric waits until the family's series come to this. A batch is counted a moment after the database has it, so that
// who has seen the one need not see the other yet.
func (c *consumer) wantMetric(t *testing.T, want float64, name string, label ...string) {
	t.Helper()
	eventually(t, patience, func(context.Context) error {
		if got := c.metric(t, name, label...); got != want {
			return fmt.Errorf("%s%q of %s = %v, want %v", name, label, c.name, got, want)
		}
		return nil
	})
}

func labelled(m *dto.Metric, name, value string) bool {
	for _, l := range m.GetLabel() {
		if l.GetName() == name && l.GetValue() == value {
			return true
		}
	}
	return false
}

func (c *consumer) wantLog(t *testing.T, text string) {
	t.Helper()
	eventually(t, patience, func(context.Context) error {
		if log := c.log.String(); !strings.Contains(log, text) {
			return fmt.Errorf("log of %s lacks %q", c.name, text)
		}
		return nil
	})
}
