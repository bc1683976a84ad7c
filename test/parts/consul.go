package parts

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"movieexample.com/fleet/test/ports"
)

// ConsulEnv names the environment variable with the path of the consul binary.
const ConsulEnv = "FLEET_CONSUL_BIN"

// consulNode is how each server names itself.
const consulNode = "test"

// Consul is a real server of its own on loopback ports that stay the same over a restart. It keeps its data in memory,
// so that a restart empties it. The kernel ends it with the test process, however that ends.
type Consul struct {
	Port int // of the HTTP API

	program string
	dir     string
	flags   []string
	token   string // may do everything; empty where everybody may
	process *exec.Cmd
}

// StartConsul makes a new, empty server, waits until it takes all requests, and removes it when the test ends. Flags are
// given to its agent beside those that keep it on loopback.
func StartConsul(tb testing.TB, flags ...string) *Consul {
	tb.Helper()
	return startConsul(tb, "", flags...)
}

func startConsul(tb testing.TB, token string, flags ...string) *Consul {
	tb.Helper()
	c := &Consul{program: consulProgram(tb), dir: tb.TempDir(), token: token}
	c.Port = ports.Free(tb)
	c.flags = append([]string{
		"-http-port=" + strconv.Itoa(c.Port), "-server-port=" + strconv.Itoa(ports.Free(tb)),
		"-serf-lan-port=" + strconv.Itoa(ports.Free(tb)), "-serf-wan-port=-1", "-dns-port=-1", "-grpc-port=-1", "-grpc-tls-port=-1",
	}, flags...)
	tb.Cleanup(func() { c.Stop(tb) })
	c.Start(tb)
	return c
}

func consulProgram(tb testing.TB) string {
	tb.Helper()
	if path := os.Getenv(ConsulEnv); path != "" {
		if _, err := os.Stat(path); err != nil {
			tb.Fatalf("$%s does not name the consul binary: %v", ConsulEnv, err)
		}
		return path
	}
	path, err := exec.LookPath("consul")
	if err != nil {
		tb.Fatalf("the test needs Consul: set %s to the binary, for example the one that `make cluster-binaries` builds into "+
			"$FLEET_CACHE/bin, or put consul on PATH", ConsulEnv)
	}
	return path
}

// Start starts the server, or starts it again, and empty, after Stop.
func (c *Consul) Start(tb testing.TB) {
	tb.Helper()
	log, err := os.Create(filepath.Join(c.dir, "log"))
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	args := append([]string{"agent", "-dev", "-bind=127.0.0.1", "-client=127.0.0.1", "-node=" + consulNode, "-log-level=warn"}, c.flags...)
	c.process = exec.Command(c.program, args...)
	c.process.Dir = c.dir
	c.process.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + c.dir, "TMPDIR=" + c.dir}
	c.process.Stdout, c.process.Stderr = log, log
	c.process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := c.process.Start(); err != nil {
		tb.Fatal(err)
	}
	c.waitUntilUp(tb)
}

// waitUntilUp waits until the leader has registered its own node, which it does a moment after it was elected: before, it
// refuses sessions.
func (c *Consul) waitUntilUp(tb testing.TB) {
	tb.Helper()
	client := c.as(tb, c.token)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		checks, _, err := client.Health().Node(consulNode, nil)
		if err == nil && len(checks) > 0 {
			return
		}
		if time.Now().After(deadline) {
			text, _ := os.ReadFile(filepath.Join(c.dir, "log"))
			tb.Fatalf("Consul is not up after a minute: %v; its log:\n%s", err, text)
		}
	}
}

// Stop kills the server, as the loss of its machine would, and waits for it.
func (c *Consul) Stop(tb testing.TB) {
	tb.Helper()
	if c.process == nil {
		return
	}
	if err := c.process.Process.Kill(); err != nil {
		tb.Errorf("killing Consul: %v", err)
	}
	_ = c.process.Wait() // it was killed
	c.process = nil
}

// Client is a client of the server; its idle connections are closed when the test ends.
func (c *Consul) Client(tb testing.TB) *api.Client {
	tb.Helper()
	return c.as(tb, "")
}

func (c *Consul) as(tb testing.TB, token string) *api.Client {
	tb.Helper()
	config := api.DefaultConfig()
	config.Address, config.Token = fmt.Sprintf("127.0.0.1:%d", c.Port), token
	client, err := api.NewClient(config)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(config.Transport.CloseIdleConnections)
	return client
}

// Binding is the directory of a binding to the server.
func (c *Consul) Binding(tb testing.TB) string {
	tb.Helper()
	dir := filepath.Join(tb.TempDir(), "consul")
	WriteBinding(tb, dir, map[string]string{"type": "consul", "host": "127.0.0.1", "port": strconv.Itoa(c.Port)})
	return dir
}
