package identity

import (
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"

	"movieexample.com/fleet/test/parts"
)

// greet accepts connections, and says a word to each that it accepts.
func greet(t *testing.T, config *tls.Config) string {
	t.Helper()
	listener, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	wait.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(conn, "hello")
			_ = conn.Close()
		}
	})
	t.Cleanup(func() { _ = listener.Close(); wait.Wait() })
	return listener.Addr().String()
}

// greeted connects and tells whether the session was resumed.
func greeted(t *testing.T, address string, config *tls.Config) (bool, error) {
	t.Helper()
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: 5 * time.Second}, "tcp", address, config)
	if err != nil {
		return false, err
	}
	defer func() { _ = conn.Close() }()
	word, err := io.ReadAll(conn)
	if err == nil && string(word) != "hello" {
		t.Errorf("the server said %q, want hello", word)
	}
	return conn.ConnectionState().DidResume, err
}

func TestASessionOfARemovedAuthorityIsNotResumed(t *testing.T) {
	for name, version := range map[string]uint16{"TLS 1.2": tls.VersionTLS12, "TLS 1.3": tls.VersionTLS13} {
		t.Run(name, func(t *testing.T) {
			before, after := parts.NewAuthority(t), parts.NewAuthority(t)
			server, dir, _ := open(t, parts.TLSKeys(before.Leaf(t, rating), before, after))
			client, _, _ := open(t, parts.TLSKeys(before.Leaf(t, movie), before, after))
			address := greet(t, server.Server(Required))
			config := client.Client(spiffeid.RequireFromString(rating))
			config.ServerName, config.MaxVersion, config.ClientSessionCache = "rating", version, tls.NewLRUClientSessionCache(1)
			if _, err := greeted(t, address, config); err != nil {
				t.Fatalf("the first connection = %v, want no error", err)
			}
			if resumed, err := greeted(t, address, config); err != nil || !resumed {
				t.Fatalf("the second connection: resumed %v, %v, want it resumed, else this test shows nothing", resumed, err)
			}
			parts.MountBinding(t, dir, parts.TLSKeys(after.Leaf(t, rating), after))
			server.lookTwice()
			if _, err := greeted(t, address, config); err == nil {
				t.Error("a session that a certificate of the removed authority began was resumed, want it refused")
			}
		})
	}
}

func TestCallersOfAnOptionalCertificate(t *testing.T) {
	ours, other := parts.NewAuthority(t), parts.NewAuthority(t)
	server, _, _ := open(t, parts.TLSKeys(ours.Leaf(t, rating), ours))
	address := greet(t, server.Server(Optional))
	want := spiffeid.RequireFromString(rating)
	for name, tc := range map[string]struct {
		trusted parts.Authority
		refused bool
	}{"a certificate that is accepted": {ours, false}, "a certificate of an unknown authority": {other, true}} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "tls")
			parts.MountBinding(t, dir, parts.TLSKeys(tc.trusted.Leaf(t, movie), tc.trusted, ours))
			client, err := Open(dir, domain(), slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := greeted(t, address, client.Client(want)); (err != nil) != tc.refused {
				t.Errorf("connection = %v, want it refused: %v", err, tc.refused)
			}
		})
	}
	if _, err := greeted(t, address, &tls.Config{InsecureSkipVerify: true}); err != nil {
		t.Errorf("a connection without a certificate = %v, want no error", err)
	}
	if _, err := greeted(t, address, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}); err == nil ||
		!strings.Contains(err.Error(), "version") {
		t.Errorf("a connection by TLS 1.1 = %v, want it refused for its version", err)
	}
}
