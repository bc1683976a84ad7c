package rpc

import (
	"context"
	"io"
	"log/slog"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/net/http2"
	"google.golang.org/grpc/test/bufconn"
)

// rawClient is a gRPC client that says just what a test wants.
type rawClient struct {
	conn   net.Conn
	began  time.Time
	silent bool // does not answer pings

	mu     sync.Mutex // of what is written
	framer *http2.Framer
}

// connected serves one client that has begun its connection.
func connected(t *testing.T) *rawClient {
	t.Helper()
	conn := serveOne(t)
	p := &rawClient{conn: conn, began: time.Now(), framer: http2.NewFramer(conn, conn)}
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	if err := p.framer.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	return p
}

// serveOne is a connection to a server without a network, so that the clock is the bubble's.
func serveOne(t *testing.T) net.Conn {
	t.Helper()
	listener := bufconn.Listen(1 << 16)
	s := NewServer(ServerOptions{Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry()})
	done := make(chan error, 1)
	go func() { done <- s.ServeOn(listener)(context.Background()) }()
	conn, err := listener.Dial()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.Close()
		s.Server.Stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return conn
}

// goodbye is why the server ended the connection, and after how long; "" if it closed it without a word.
func (p *rawClient) goodbye() (why string, after time.Duration) {
	for {
		frame, err := p.framer.ReadFrame()
		if err != nil {
			return "", time.Since(p.began)
		}
		switch f := frame.(type) {
		case *http2.GoAwayFrame:
			return string(f.DebugData()), time.Since(p.began)
		case *http2.PingFrame:
			if !f.IsAck() && !p.silent {
				_ = p.ping(true, f.Data) // a connection that is gone ends the next read
			}
		}
	}
}

func (p *rawClient) ping(answer bool, data [8]byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.framer.WritePing(answer, data)
}

func TestConnectionsEndWithTheirAge(t *testing.T) {
	ages := map[time.Duration]bool{}
	for range 20 {
		synctest.Test(t, func(t *testing.T) {
			why, after := connected(t).goodbye()
			if why != "max_age" || after < 270*time.Second || after > 330*time.Second {
				t.Errorf("the connection ended for %q after %s, want max_age after 5 min ± 10 %%", why, after)
			}
			ages[after.Round(time.Millisecond)] = true
		})
	}
	if len(ages) < 10 {
		t.Errorf("20 connections ended after %v, want ages that lie apart: callers must not come back all at once", ages)
	}
}

func TestACallerThatVanishedIsNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := connected(t)
		p.silent = true
		_, after := p.goodbye()
		if want := keepaliveTime + keepaliveTimeout; after < want || after > want+time.Second {
			t.Errorf("the connection of a caller that answers nothing ended after %s, want %s", after, want)
		}
	})
}

// TestAClientThatSaysNothingIsCut: who connects and is silent holds no connection.
func TestAClientThatSaysNothingIsCut(t *testing.T) {
	for name, said := range map[string]string{"nothing": "", "half of what begins a connection": http2.ClientPreface[:10]} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				conn, began := serveOne(t), time.Now()
				if _, err := io.WriteString(conn, said); err != nil {
					t.Fatal(err)
				}
				_, _ = io.Copy(io.Discard, conn) // until the server cuts it
				if after := time.Since(began); after != connectTimeout {
					t.Errorf("a client that said %s was cut after %s, want %s", name, after, connectTimeout)
				}
			})
		})
	}
}

func TestPings(t *testing.T) {
	for name, tc := range map[string]struct {
		every time.Duration
		want  string
	}{
		"as the fleet's callers ping": {clientPing, "max_age"},
		"as often as is allowed":      {clientPingMin, "max_age"},
		"too often":                   {clientPingMin / 2, "too_many_pings"},
		"a flood":                     {time.Millisecond, "too_many_pings"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := connected(t)
				done := make(chan struct{})
				go func() {
					defer close(done)
					for p.ping(false, [8]byte{}) == nil {
						time.Sleep(tc.every)
					}
				}()
				if why, after := p.goodbye(); why != tc.want {
					t.Errorf("who pings every %s is cut after %s for %q, want %q", tc.every, after, why, tc.want)
				}
				_ = p.conn.Close()
				<-done
			})
		})
	}
}
