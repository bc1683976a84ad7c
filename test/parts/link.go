package parts

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"
)

// Link is a network between a caller and a server that a test can break. Dial Address in the server's place.
type Link struct {
	Address string

	to     string
	listen net.Listener
	done   sync.WaitGroup

	mu      sync.Mutex
	changed chan struct{} // closed at each change
	fault   Fault
	conns   map[net.Conn]bool
}

// Fault is what the link does to what is sent.
type Fault struct {
	Swallow bool          // nothing arrives, and nobody is told: as with a firewall that drops packets
	Refuse  bool          // connections end, and no other is made: as if the server's process had ended
	Delay   time.Duration // everything arrives so much later
}

// StartLink makes a link to the server's address, which works until the test breaks it.
func StartLink(tb testing.TB, to string) *Link {
	tb.Helper()
	listener, err := (&net.ListenConfig{}).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	l := &Link{
		Address: listener.Addr().String(), to: to, listen: listener,
		changed: make(chan struct{}), conns: map[net.Conn]bool{},
	}
	l.done.Go(l.accept)
	tb.Cleanup(func() {
		_ = listener.Close()
		l.Cut()
		l.Set(Fault{})
		l.done.Wait()
	})
	return l
}

// Set changes what the link does, to connections that there are too.
func (l *Link) Set(f Fault) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fault = f
	close(l.changed)
	l.changed = make(chan struct{})
	if f.Refuse {
		l.cut()
	}
}

// Cut ends all connections that there are.
func (l *Link) Cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut()
}

func (l *Link) cut() {
	for c := range l.conns {
		_ = c.Close()
	}
}

func (l *Link) now() (Fault, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fault, l.changed
}

func (l *Link) accept() {
	for {
		c, err := l.listen.Accept()
		if err != nil {
			return // the test is over
		}
		l.done.Go(func() { l.serve(c) })
	}
}

func (l *Link) serve(c net.Conn) {
	defer l.drop(l.keep(c))
	if fault, _ := l.now(); fault.Refuse {
		return
	}
	server, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", l.to)
	if err != nil {
		return // as refused as the server is
	}
	defer l.drop(l.keep(server))
	var both sync.WaitGroup
	both.Go(func() { l.carry(server, c) })
	both.Go(func() { l.carry(c, server) })
	both.Wait()
}

func (l *Link) keep(c net.Conn) net.Conn {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conns[c] = true
	return c
}

func (l *Link) drop(c net.Conn) {
	_ = c.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conns, c)
}

// carry passes on what comes, in order. What is swallowed is held back until the link works again, as TCP would send it
// anew.
func (l *Link) carry(to, from net.Conn) {
	defer func() { _ = to.Close() }()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			l.hold()
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (l *Link) hold() {
	for {
		fault, changed := l.now()
		if !fault.Swallow {
			time.Sleep(fault.Delay)
			return
		}
		<-changed
	}
}
