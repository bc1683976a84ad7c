//go:build integration

package integration_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"movieexample.com/fleet/test/ports"
)

const (
	revision = "abc123"
	patience = 30 * time.Second // until something that must happen has not
)

// program is one run of a service's binary.
type program struct {
	name string
	cmd  *exec.Cmd
	log  output
	done chan struct{} // closed when it has ended; then err is its exit
	err  error

	api, rest, admin string // addresses
	conn             *grpc.ClientConn
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

// launch starts the binary with a configuration file of the given text and the binding, as a pod would.
func launch(t *testing.T, name, config, binding string, args ...string) *program {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	p := &program{name: name, done: make(chan struct{})}
	p.cmd = exec.Command(filepath.Join(programs, name), args...)
	p.cmd.Env = []string{"FLEET_CONFIG=" + file, "FLEET_REVISION=" + revision, "SERVICE_BINDING_ROOT=" + filepath.Dir(binding)}
	p.cmd.Stdout, p.cmd.Stderr = &p.log, &p.log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.err = p.cmd.Wait(); close(p.done) }() // end waits for it
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("log of %s %s:\n%s", name, strings.Join(args, " "), &p.log)
		}
	})
	return p
}

// serve starts a service on free ports; settings are further lines of its configuration, and args its command if it is not
// the first one. It must end well with the test.
func serve(t *testing.T, name, settings, binding string, args ...string) *program {
	t.Helper()
	api, rest, admin := ports.Free(t), ports.Free(t), ports.Free(t)
	p := launch(t, name, fmt.Sprintf("api: {port: %d}\nrest: {port: %d}\nadmin: {port: %d}\nshutdown: {propagation: 0s, deadline: 5s}\n%s",
		api, rest, admin, settings), binding, args...)
	p.api, p.rest, p.admin = loopback(api), loopback(rest), loopback(admin)
	conn, err := grpc.NewClient(p.api, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	p.conn = conn
	t.Cleanup(func() { p.end(t) })
	return p
}

func loopback(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }

// end stops the program as a kubelet would.
func (p *program) end(t *testing.T) {
	t.Helper()
	_ = p.conn.Close()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Errorf("%s ended by itself: %v", p.name, errors.Join(err, p.err))
	}
	if err := p.wait(t); err != nil {
		t.Errorf("%s after SIGTERM = %v, want exit code 0", p.name, err)
	}
}

// wait is how the program ended.
func (p *program) wait(t *testing.T) error {
	t.Helper()
	select {
	case <-p.done:
		return p.err
	case <-time.After(patience):
		t.Errorf("%s did not end in %v and was killed", p.name, patience)
		_ = p.cmd.Process.Kill()
		<-p.done
		return p.err
	}
}

func (p *program) running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// answer is what an HTTP server said.
type answer struct {
	code   int
	body   string
	header http.Header
}

func request(t *testing.T, method, url, body string) (answer, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, string(text), response.Header}, err
}

// call is a REST request that must be answered.
func (p *program) call(t *testing.T, method, path, body string) answer {
	t.Helper()
	got, err := request(t, method, "http://"+p.rest+path, body)
	if err != nil {
		t.Fatalf("%s %s = %v", method, path, err)
	}
	return got
}

// wantProbe waits until the admin server answers path with code and a body that holds part.
func (p *program) wantProbe(t *testing.T, path string, code int, part string) {
	t.Helper()
	eventually(t, func() error {
		got, err := request(t, http.MethodGet, "http://"+p.admin+path, "")
		if err != nil {
			return err
		}
		if got.code != code || !strings.Contains(got.body, part) {
			return fmt.Errorf("%s %s = %d %s, want %d with %q", p.name, path, got.code, got.body, code, part)
		}
		return nil
	})
}

func (p *program) wantReady(t *testing.T) {
	t.Helper()
	p.wantProbe(t, "/readyz", http.StatusOK, `"ready"`)
}

// eventually polls: another process gives no signal that could be waited for.
func eventually(t *testing.T, check func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after %v: %v", patience, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// migrated is a new database with the service's schema, made by its own program.
func migrated(t *testing.T, name string) (binding string) {
	t.Helper()
	binding = server.Database(t)
	if err := launch(t, name, "", binding, "migrate").wait(t); err != nil {
		t.Fatalf("%s migrate = %v, want exit code 0", name, err)
	}
	return binding
}

const mysqlStorage = "storage: {kind: mysql}\n"

// fleet is the three services, ready, on databases of their own. movie starts last: a connection that was refused is
// tried again only after a pause, and calls in that pause fail.
type fleet struct{ metadata, rating, movie *program }

func startFleet(t *testing.T) fleet {
	t.Helper()
	return startFleetWith(t, "")
}

// startFleetWith gives all three further lines of configuration.
func startFleetWith(t *testing.T, settings string) fleet {
	t.Helper()
	return startFleetOn(t, migrated(t, "metadata"), migrated(t, "rating"), settings)
}

// startFleetOn uses databases that there are.
func startFleetOn(t *testing.T, metadataBinding, ratingBinding, settings string) fleet {
	t.Helper()
	f := fleet{
		metadata: serve(t, "metadata", mysqlStorage+settings, metadataBinding),
		rating:   serve(t, "rating", mysqlStorage+settings, ratingBinding),
	}
	f.metadata.wantReady(t)
	f.rating.wantReady(t)
	f.movie = serve(t, "movie", fmt.Sprintf("upstreams: {metadata: {target: 'static:///%s', timeout: 2s}, rating: {target: 'static:///%s', timeout: 2s}}\n",
		f.metadata.api, f.rating.api)+settings, "")
	f.movie.wantReady(t)
	return f
}
