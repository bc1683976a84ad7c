package rpc_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"movieexample.com/fleet/services/internal/rpc"
)

// streaming serves one client-streaming method, /test.Stream/Send, with the handler.
func streaming(t *testing.T, handler func(grpc.ServerStream) error) (fixture, func(context.Context) (grpc.ClientStream, error)) {
	t.Helper()
	f := fixture{log: &lockedBuffer{}, metrics: prometheus.NewRegistry()}
	f.server = rpc.NewServer(rpc.ServerOptions{
		Log: slog.New(slog.NewTextHandler(f.log, nil)), Metrics: f.metrics, Revision: "abc",
	})
	desc := grpc.StreamDesc{
		StreamName: "Send", ClientStreams: true,
		Handler: func(_ any, stream grpc.ServerStream) error { return handler(stream) },
	}
	f.server.RegisterService(&grpc.ServiceDesc{ServiceName: "test.Stream", HandlerType: (*any)(nil), Streams: []grpc.StreamDesc{desc}}, struct{}{})
	l := listen(t)
	var wait sync.WaitGroup
	wait.Go(func() { _ = f.server.ServeOn(l)(context.Background()) })
	conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.Close()
		if err := f.server.Stop(context.Background()); err != nil {
			t.Errorf("stop: %v", err)
		}
		wait.Wait()
	})
	return f, func(ctx context.Context) (grpc.ClientStream, error) {
		return conn.NewStream(ctx, &desc, "/test.Stream/Send")
	}
}

// exchange sends one message and waits for the end.
func exchange(t *testing.T, open func(context.Context) (grpc.ClientStream, error)) (metadata.MD, error) {
	t.Helper()
	stream, err := open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.SendMsg(&emptypb.Empty{}); err != nil {
		t.Fatal(err)
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	err = stream.RecvMsg(&emptypb.Empty{})
	header, _ := stream.Header()
	return header, err
}

func receiveOne(stream grpc.ServerStream) error { return stream.RecvMsg(&emptypb.Empty{}) }

func TestErrorsOfStreams(t *testing.T) {
	const hidden = "internal error; the service's log has the cause"
	for name, tc := range map[string]struct {
		end     error
		panics  bool
		code    codes.Code
		message string
		logged  string
	}{
		"a status":      {status.Error(codes.NotFound, "no such thing"), false, codes.NotFound, "no such thing", ""},
		"a plain error": {errors.New("open /data/secret"), false, codes.Internal, hidden, "/data/secret"},
		"a panic":       {errors.New("index out of range"), true, codes.Internal, hidden, "index out of range"},
	} {
		t.Run(name, func(t *testing.T) {
			f, open := streaming(t, func(stream grpc.ServerStream) error {
				if err := receiveOne(stream); err != nil {
					return err
				}
				if tc.panics {
					panic(tc.end)
				}
				return tc.end
			})
			_, err := exchange(t, open)
			if got := status.Convert(err); got.Code() != tc.code || got.Message() != tc.message {
				t.Errorf("stream = %s %q, want %s %q", got.Code(), got.Message(), tc.code, tc.message)
			}
			if lines := strings.Count(f.log.String(), "\n"); tc.logged == "" && lines > 0 || !strings.Contains(f.log.String(), tc.logged) {
				t.Errorf("log = %q, want %q in it, nothing if that is empty", f.log.String(), tc.logged)
			}
			want := 0.0
			if tc.panics {
				want = 1
			}
			if got := counter(t, f.metrics, "grpc_server_panics_total", nil); got != want {
				t.Errorf("grpc_server_panics_total = %v, want %v", got, want)
			}
		})
	}
}

func TestStreamsTellTheRevision(t *testing.T) {
	_, open := streaming(t, func(stream grpc.ServerStream) error {
		return errors.Join(receiveOne(stream), stream.SendMsg(&emptypb.Empty{}))
	})
	header, err := exchange(t, open)
	if got := header.Get(rpc.RevisionHeader); err != nil || len(got) != 1 || got[0] != "abc" {
		t.Errorf("header %s = %q, %v, want abc", rpc.RevisionHeader, got, err)
	}
}
