package app

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"

	"movieexample.com/fleet/services/internal/config"
	"movieexample.com/fleet/services/internal/lifecycle"
	"movieexample.com/fleet/services/internal/rpc"
	ratingv1 "movieexample.com/fleet/services/proto/rating/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type settings struct {
	config.Common `config:",inline"`

	Upstream config.Upstream `config:"upstream"`
}

// program serves ratings with get; its own readiness follows ready.
func program(get func(context.Context) error, ready *atomic.Bool) Program[settings] {
	return Program[settings]{
		Name:     "rating",
		Defaults: settings{Common: config.Defaults(0), Upstream: config.Upstream{Target: "static:///127.0.0.1:1", Timeout: time.Second}},
		Build: func(_ context.Context, env Env[settings]) (Service, error) {
			if _, err := env.Dial("self", env.Config.Upstream); err != nil {
				return Service{}, err
			}
			return Service{
				RegisterGRPC: func(r grpc.ServiceRegistrar) { ratingv1.RegisterRatingServiceServer(r, ratings{get: get}) },
				RegisterREST: []rpc.RegisterREST{ratingv1.RegisterRatingServiceHandler},
				Checks: []lifecycle.Check{{Name: "database", Run: func(context.Context) error {
					if ready.Load() {
						return nil
					}
					return errors.New("the database is away")
				}}},
			}, nil
		},
		Migrate: func(ctx context.Context, env Env[settings]) error {
			env.Log.Info("Migrating")
			return get(ctx)
		},
	}
}

type ratings struct {
	ratingv1.UnimplementedRatingServiceServer

	get func(context.Context) error
}

func (r ratings) GetAggregatedRating(ctx context.Context, _ *ratingv1.GetAggregatedRatingRequest) (*ratingv1.GetAggregatedRatingResponse, error) {
	return &ratingv1.GetAggregatedRatingResponse{RatingValue: 5, Count: 1}, r.get(ctx)
}

// running is a program that serves.
type running struct {
	signals          chan os.Signal
	exit             chan int
	api, rest, admin string
	stderr           *strings.Builder // read it after the exit
	mu               sync.Mutex
	log              []string
}

func (r *running) logged(text string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, line := range r.log {
		if strings.Contains(line, text) {
			return true
		}
	}
	return false
}

// launch runs the program until the end of the test and waits until it serves.
func launch(t *testing.T, p Program[settings], args ...string) *running {
	t.Helper()
	r := &running{signals: make(chan os.Signal, 2), exit: make(chan int, 1), stderr: &strings.Builder{}}
	reader, writer := io.Pipe()
	env := map[string]string{envRevision: "abc"}
	go func() {
		r.exit <- run(context.Background(), p, args, process{
			lookupEnv: func(name string) (string, bool) { v, ok := env[name]; return v, ok },
			stdout:    writer, stderr: r.stderr, signals: r.signals,
		})
		_ = writer.Close()
	}()
	serving := make(chan map[string]any, 1)
	go r.follow(reader, serving)
	select {
	case line := <-serving:
		address := func(key string) string {
			_, port, _ := net.SplitHostPort(fmt.Sprint(line[key]))
			return "127.0.0.1:" + port
		}
		r.api, r.rest, r.admin = address("api"), "http://"+address("rest"), "http://"+address("admin")
	case code := <-r.exit:
		t.Fatalf("the program ended with %d: %s", code, r.stderr)
	}
	return r
}

func (r *running) follow(log io.Reader, serving chan<- map[string]any) {
	for scanner := bufio.NewScanner(log); scanner.Scan(); {
		r.mu.Lock()
		r.log = append(r.log, scanner.Text())
		r.mu.Unlock()
		var line map[string]any
		if json.Unmarshal(scanner.Bytes(), &line) == nil && (line["msg"] == "Serving" || line["msg"] == "Working" && line["admin"] != nil) {
			serving <- line
		}
	}
}

func (r *running) get(t *testing.T, url string) (int, string) {
	t.Helper()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Get(url)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(body)
}

func (r *running) until(t *testing.T, what string, ask func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if ask() {
			return
		}
	}
	t.Fatalf("after 30 s: not true that %s", what)
}

func fine(context.Context) error { return nil }

func always() *atomic.Bool { b := &atomic.Bool{}; b.Store(true); return b }

func TestServeAndStop(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	var first atomic.Bool
	ready := &atomic.Bool{}
	r := launch(t, program(func(context.Context) error {
		if first.CompareAndSwap(false, true) {
			close(entered)
			<-leave
		}
		return nil
	}, ready), "--shutdown.propagation", "2s")

	r.until(t, "/readyz is 503 with the reason", func() bool {
		code, body := r.get(t, r.admin+"/readyz")
		return code == 503 && strings.Contains(body, "the database is away")
	})
	ready.Store(true)
	r.until(t, "/readyz is 200", func() bool { code, _ := r.get(t, r.admin+"/readyz"); return code == 200 })

	slow := make(chan int, 1)
	go func() { code, _ := r.get(t, r.rest+"/v1/ratings/movie/1"); slow <- code }()
	<-entered
	r.signals <- syscall.SIGTERM
	r.until(t, "/readyz is 503 while it stops", func() bool { code, _ := r.get(t, r.admin+"/readyz"); return code == 503 })
	if code, body := r.get(t, r.rest+"/v1/ratings/movie/1"); code != 200 {
		t.Errorf("a new request during propagation = %d %s, want 200: callers do not know yet", code, body)
	}
	r.until(t, "new requests are refused", func() bool { // propagation is over, the slow request is not
		code, _ := r.get(t, r.rest+"/v1/ratings/movie/1")
		return code == 0
	})
	close(leave)
	if code := <-slow; code != 200 {
		t.Errorf("the request in flight = %d, want 200", code)
	}
	if code := <-r.exit; code != exitOK {
		t.Errorf("exit = %d, want 0; stderr: %s", code, r.stderr)
	}
	r.until(t, "the log tells the end", func() bool { return r.logged(`"msg":"Stopped"`) })
}

func TestASecondSignalEndsAtOnce(t *testing.T) {
	r := launch(t, program(fine, always()), "--shutdown.propagation", "2s")
	r.signals <- syscall.SIGTERM
	r.signals <- syscall.SIGINT
	if code := <-r.exit; code != exitFailed || !strings.Contains(r.stderr.String(), "second signal") {
		t.Errorf("exit = %d, %q, want 1 and that a second signal ended it", code, r.stderr)
	}
	r.until(t, "what was left behind has ended too, so that no other test meets it", func() bool {
		code, _ := r.get(t, r.admin+"/healthz")
		return code == 0
	})
}

func TestMistakes(t *testing.T) {
	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	port := fmt.Sprint(taken.Addr().(*net.TCPAddr).Port) // a TCP listener
	file := filepath.Join(t.TempDir(), "rating.yaml")
	if err := os.WriteFile(file, []byte("api: {prot: 1}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		args []string
		env  map[string]string
		code int
		want string
	}{
		"unknown flag":    {[]string{"--prot", "1"}, nil, exitMistake, "unknown flag: --prot"},
		"unknown command": {[]string{"serve"}, nil, exitMistake, `unknown command "serve"`},
		"setting":         {[]string{"--api.port", "x"}, nil, exitMistake, `api.port: "x" is not a whole number (flag --api.port)`},
		"file":            {nil, map[string]string{config.FileEnv: file}, exitMistake, "did you mean api.port?"},
		"fault":           {nil, map[string]string{"FLEET_FAULT": "error=2"}, exitMistake, "FLEET_FAULT"},
		"port in use":     {[]string{"--api.port", port}, nil, exitFailed, "choose another with --api.port or --port"},
	} {
		t.Run(name, func(t *testing.T) {
			var stderr strings.Builder
			code := run(t.Context(), program(fine, always()), tc.args, process{
				lookupEnv: func(name string) (string, bool) { v, ok := tc.env[name]; return v, ok },
				stdout:    io.Discard, stderr: &stderr, signals: make(chan os.Signal),
			})
			if code != tc.code || !strings.Contains(stderr.String(), tc.want) || !strings.HasPrefix(stderr.String(), "rating: ") {
				t.Errorf("exit = %d, %q, want %d with %q", code, stderr.String(), tc.code, tc.want)
			}
		})
	}
}

func TestMigrate(t *testing.T) {
	for name, tc := range map[string]struct {
		migrate func(context.Context) error
		signal  bool
		code    int
		want    string
	}{
		"done":   {fine, false, exitOK, ""},
		"failed": {func(context.Context) error { return errors.New("00002_x.sql: syntax error") }, false, exitFailed, "rating: migrate: 00002_x.sql: syntax error\n"},
		"ended by a signal": {func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, true, exitFailed,
			"rating: migrate: ended by terminated: context canceled\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var stderr strings.Builder
			signals := make(chan os.Signal, 1)
			if tc.signal {
				signals <- syscall.SIGTERM
			}
			code := run(t.Context(), program(tc.migrate, always()), []string{"migrate"}, process{
				lookupEnv: func(string) (string, bool) { return "", false }, stdout: io.Discard, stderr: &stderr, signals: signals,
			})
			if code != tc.code || stderr.String() != tc.want {
				t.Errorf("exit = %d, %q, want %d, %q", code, stderr.String(), tc.code, tc.want)
			}
		})
	}
}
