package origin_test

import (
	"context"
	"net"
	"net/netip"
	"testing"

	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"movieexample.com/fleet/services/internal/origin"
)

type insideAddr struct{}

func (insideAddr) Network() string { return "bufconn" }
func (insideAddr) String() string  { return "bufconn" }

func call(from net.Addr, forwarded ...string) context.Context {
	ctx := peer.NewContext(context.Background(), &peer.Peer{Addr: from})
	return metadata.NewIncomingContext(ctx, metadata.MD{"x-forwarded-for": forwarded})
}

func TestOf(t *testing.T) {
	direct := &net.TCPAddr{IP: net.ParseIP("198.51.100.7"), Port: 4711}
	proxy := &net.TCPAddr{IP: net.ParseIP("10.0.0.9"), Port: 4711}
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	for name, tc := range map[string]struct {
		ctx  context.Context
		want string
	}{
		"direct":                            {call(direct), "198.51.100.7"},
		"direct, speaking for another":      {call(direct, "203.0.113.1"), "198.51.100.7"},
		"a trusted proxy":                   {call(proxy, "203.0.113.1"), "203.0.113.1"},
		"a trusted proxy for an inventor":   {call(proxy, "127.0.0.1, 203.0.113.1"), "203.0.113.1"},
		"two trusted proxies":               {call(proxy, "203.0.113.1, 10.0.0.8"), "203.0.113.1"},
		"in two headers":                    {call(proxy, "127.0.0.1", "203.0.113.1"), "203.0.113.1"},
		"a trusted proxy for itself":        {call(proxy), "10.0.0.9"},
		"a trusted proxy that lost its way": {call(proxy, "nonsense"), "invalid IP"},
		"REST":                              {call(insideAddr{}, "203.0.113.1"), "203.0.113.1"},
		"REST, speaking for another":        {call(insideAddr{}, "127.0.0.1, 203.0.113.1"), "203.0.113.1"},
		"REST behind a trusted proxy":       {call(insideAddr{}, "203.0.113.1, 10.0.0.9"), "203.0.113.1"},
		"REST that says nothing":            {call(insideAddr{}), "invalid IP"},
		"IPv4 in IPv6":                      {call(&net.TCPAddr{IP: net.ParseIP("::ffff:198.51.100.7"), Port: 1}), "198.51.100.7"},
		"IPv6 with a zone":                  {call(&net.TCPAddr{IP: net.ParseIP("fe80::1"), Zone: "eth0", Port: 1}), "fe80::1"},
		"nobody":                            {context.Background(), "invalid IP"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := origin.Of(tc.ctx, trusted).String(); got != tc.want {
				t.Errorf("Of() = %s, want %s", got, tc.want)
			}
		})
	}
}

func TestNetwork(t *testing.T) {
	for text, want := range map[string]string{
		"198.51.100.7":             "198.51.100.7/32",
		"2001:db8:1:2:3:4:5:6":     "2001:db8:1:2::/64",
		"2001:db8:1:2:ffff:4:5:60": "2001:db8:1:2::/64",
	} {
		if got := origin.Network(netip.MustParseAddr(text)).String(); got != want {
			t.Errorf("Network(%s) = %s, want %s", text, got, want)
		}
	}
	if got := origin.Network(netip.Addr{}); got != (netip.Prefix{}) {
		t.Errorf("Network of nothing = %v, want the zero Prefix", got)
	}
}
