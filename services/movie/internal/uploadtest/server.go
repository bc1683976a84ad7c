package uploadtest

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"movieexample.com/fleet/services/internal/limits"
	"movieexample.com/fleet/services/internal/rpc"
	"movieexample.com/fleet/services/movie/internal/controller"
	"movieexample.com/fleet/services/movie/internal/files"
	"movieexample.com/fleet/services/movie/internal/handler"
	moviev1 "movieexample.com/fleet/services/proto/movie/v1"
)

// Server is one instance of movie that serves files only.
type Server struct {
	Address string
	Store   *files.Store // nil without a place for files
	Metrics *prometheus.Registry

	stop func()
}

// Options are what tests change.
type Options struct {
	Listener   net.Listener  // nil: a free port
	MaxSize    int64         // 0: 1 GiB
	StreamIdle time.Duration // 0: none
}

// Serve serves the files of a directory until the end of the test; "" is no place for files.
func Serve(t *testing.T, dir string, o Options) *Server {
	t.Helper()
	s := &Server{Metrics: prometheus.NewRegistry()}
	rules := controller.NoFiles()
	if o.MaxSize == 0 {
		o.MaxSize = 1 << 30
	}
	if dir != "" {
		s.Store = Open(t, dir)
		rules = controller.NewFiles(s.Store, o.MaxSize, s.Metrics)
	}
	bounds, err := limits.New(limits.Options{StreamIdle: o.StreamIdle}, s.Metrics)
	if err != nil {
		t.Fatal(err)
	}
	server := rpc.NewServer(rpc.ServerOptions{Log: slog.New(slog.DiscardHandler), Metrics: s.Metrics, Limits: bounds})
	moviev1.RegisterMovieServiceServer(server, handler.New(nil, rules))
	if o.Listener == nil {
		o.Listener = listen(t)
	}
	s.Address = o.Listener.Addr().String()
	var wait sync.WaitGroup
	wait.Go(func() { _ = server.ServeOn(o.Listener)(context.Background()) })
	s.stop = sync.OnceFunc(func() { server.Server.Stop(); wait.Wait() })
	t.Cleanup(s.stop)
	return s
}

// Stop cuts all streams, as the end of the process does.
func (s *Server) Stop() { s.stop() }

// Open opens a store until the end of the test.
func Open(t *testing.T, dir string) *files.Store {
	t.Helper()
	store, err := files.Open(dir, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Errorf("closing the store: %v", err)
		}
	})
	return store
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// Client is a client of whoever listens at the address.
func Client(t *testing.T, address string) moviev1.MovieServiceClient {
	t.Helper()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return moviev1.NewMovieServiceClient(conn)
}
