package main

import (
	"io"
	"net"
	"strings"
	"testing"
)

func TestParsePair(t *testing.T) {
	for _, tc := range []struct {
		name, pair, listen, target, mistake string
	}{
		{name: "loopback to cluster", pair: "127.0.0.1:80=10.96.0.1:443", listen: "127.0.0.1:80", target: "10.96.0.1:443"},
		{name: "another loopback address", pair: "127.0.0.2:80=10.96.0.1:443", listen: "127.0.0.2:80", target: "10.96.0.1:443"},
		{name: "no target", pair: "127.0.0.1:80", mistake: "is not LISTEN=TARGET"},
		{name: "all interfaces", pair: "0.0.0.0:80=10.96.0.1:443", mistake: "want a loopback address"},
		{name: "empty host is all interfaces", pair: ":80=10.96.0.1:443", mistake: "want a loopback address"},
		{name: "no port", pair: "127.0.0.1=10.96.0.1:443", mistake: "want a loopback address and a port"},
		{name: "a name inside", pair: "127.0.0.1:80=web:80", mistake: "want an IP address and a port inside"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			listen, target, err := parsePair(tc.pair)
			if tc.mistake != "" {
				if err == nil || !strings.Contains(err.Error(), tc.mistake) {
					t.Fatalf("parsePair(%q) = %v, want an error with %q", tc.pair, err, tc.mistake)
				}
				return
			}
			if err != nil || listen != tc.listen || target != tc.target {
				t.Fatalf("parsePair(%q) = %q, %q, %v, want %q, %q", tc.pair, listen, target, err, tc.listen, tc.target)
			}
		})
	}
}

// The server answers only after it has seen the client's end: half-closing must be passed on.
func TestForwardPassesTheEndOfEachDirection(t *testing.T) {
	server := listen(t)
	go func() {
		conn, err := server.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		request, _ := io.ReadAll(conn)
		_, _ = conn.Write(append([]byte("got "), request...))
	}()
	front := listen(t)
	done := make(chan error, 1)
	go func() { done <- accept(front, server.Addr().String()) }()

	client, err := net.Dial("tcp", front.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	_, _ = client.Write([]byte("ping"))
	_ = client.(*net.TCPConn).CloseWrite()
	answer, err := io.ReadAll(client)
	if err != nil || string(answer) != "got ping" {
		t.Fatalf("through the front: %q, %v, want %q", answer, err, "got ping")
	}
	front.Close()
	if err := <-done; err == nil {
		t.Fatal("accept() = nil after its listener was closed, want an error")
	}
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}
