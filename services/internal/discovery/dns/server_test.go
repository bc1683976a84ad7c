package dns_test

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// names is a DNS server for one name at a time.
type names struct {
	conn net.PacketConn

	mu        sync.Mutex
	addresses []netip.Addr
	code      dnsmessage.RCode
	asked     int
}

func serveNames(t *testing.T) *names {
	t.Helper()
	conn, err := (&net.ListenConfig{}).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n := &names{conn: conn, code: dnsmessage.RCodeNameError}
	var wait sync.WaitGroup
	wait.Go(func() { n.serve(t) })
	t.Cleanup(func() { _ = conn.Close(); wait.Wait() })
	return n
}

// resolver asks this server and nobody else.
func (n *names) resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", n.conn.LocalAddr().String())
	}}
}

// set is what the server answers from now on.
func (n *names) set(code dnsmessage.RCode, addresses ...string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.code, n.addresses, n.asked = code, nil, 0
	for _, a := range addresses {
		n.addresses = append(n.addresses, netip.MustParseAddr(a))
	}
}

// questions is how many came since the last set.
func (n *names) questions() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.asked
}

func (n *names) serve(t *testing.T) {
	buffer := make([]byte, 1500)
	for {
		size, from, err := n.conn.ReadFrom(buffer)
		if err != nil {
			return // closed
		}
		answer, err := n.answer(buffer[:size])
		if err != nil {
			t.Errorf("DNS: %v", err)
			continue
		}
		_, _ = n.conn.WriteTo(answer, from)
	}
}

func (n *names) answer(question []byte) ([]byte, error) {
	var m dnsmessage.Message
	if err := m.Unpack(question); err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.asked++
	m.Response, m.Authoritative, m.RCode, m.Additionals = true, true, n.code, nil
	q := m.Questions[0]
	for _, a := range n.addresses {
		header := dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: 5}
		switch {
		case q.Type == dnsmessage.TypeA && a.Is4():
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AResource{A: a.As4()}})
		case q.Type == dnsmessage.TypeAAAA && a.Is6():
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AAAAResource{AAAA: a.As16()}})
		}
	}
	return m.Pack()
}
