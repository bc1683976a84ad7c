package rpc

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
)

// pipes is a listener without a network, so that a test's clock can be the bubble's.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { close(p.closed); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

// cut serves one client and returns what it was told, and after how long its connection was cut.
func cut(t *testing.T, write func(io.Writer)) (told string, after time.Duration) {
	t.Helper()
	p := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
	mux := newMux()
	err := mux.HandlePath(http.MethodPut, "/echo", func(w http.ResponseWriter, r *http.Request, _ map[string]string) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			_, m := runtime.MarshalerForRequest(mux, r)
			runtime.HTTPError(r.Context(), mux, m, w, r, err)
			return
		}
		_, _ = w.Write(body)
	})
	if err != nil {
		t.Fatal(err)
	}
	rest := &REST{server: newHTTPServer(answer(mux, ""))}
	done := make(chan error, 1)
	go func() { done <- rest.ServeOn(p)(context.Background()) }()
	client, server := net.Pipe()
	p.conns <- server
	began := time.Now()
	go write(client)
	text, _ := io.ReadAll(bufio.NewReader(client)) // ends when the server cuts the connection
	after = time.Since(began)
	_ = client.Close()
	if err := errors.Join(rest.server.Close(), <-done); err != nil {
		t.Error(err)
	}
	return string(text), after
}

func TestSlowClientsAreCut(t *testing.T) {
	for name, tc := range map[string]struct {
		write func(io.Writer)
		told  string // the beginning of the answer
		most  time.Duration
	}{
		"a header that never ends": {func(w io.Writer) {
			_, _ = io.WriteString(w, "PUT /echo HTTP/1.1\r\nHost: a\r\n")
			for range 100 {
				time.Sleep(time.Second)
				_, _ = io.WriteString(w, "X: y\r\n")
			}
		}, "", 6 * time.Second},
		"a body that trickles": {func(w io.Writer) {
			_, _ = io.WriteString(w, "PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n")
			for range 100 {
				time.Sleep(time.Second)
				_, _ = io.WriteString(w, "x")
			}
		}, "HTTP/1.1 408", 16 * time.Second},
		"no further request": {func(w io.Writer) {
			_, _ = io.WriteString(w, "PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx")
		}, "HTTP/1.1 200", 61 * time.Second},
		"a header too large": {func(w io.Writer) {
			_, _ = io.WriteString(w, "PUT /echo HTTP/1.1\r\nHost: a\r\nX: "+strings.Repeat("y", 128<<10)+"\r\n\r\n")
		}, "HTTP/1.1 431", time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				told, after := cut(t, tc.write)
				if after > tc.most || !strings.HasPrefix(told, tc.told) {
					t.Errorf("the client was told %q and cut after %s, want %q… and at most %s", told, after, tc.told, tc.most)
				}
				time.Sleep(2 * time.Minute) // what still writes ends inside the bubble
			})
		})
	}
}
