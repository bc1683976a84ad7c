package limits

import (
	"context"
	"net/netip"
	"strings"

	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"movieexample.com/fleet/services/internal/identity"
)

// forwarded is where the REST gateway says whose request it passes on. Anybody could send it, so that it counts only for
// calls from inside the process, and there only the last address, which the gateway has added itself.
const forwarded = "x-forwarded-for"

// insideNetwork is the network of calls that come from the REST server in the same process.
const insideNetwork = "bufconn"

// caller names who calls: the identity in its certificate, else the subject of its token, else its address; "" if nobody
// can tell.
func caller(ctx context.Context, subject func(context.Context) string) string {
	if id, ok := identity.Caller(ctx); ok {
		return "certificate " + id.String()
	}
	if subject != nil {
		if who := subject(ctx); who != "" {
			return "subject " + who
		}
	}
	p, ok := peer.FromContext(ctx)
	if !ok || p.Addr == nil {
		return ""
	}
	if p.Addr.Network() != insideNetwork {
		return network(p.Addr.String())
	}
	md, _ := metadata.FromIncomingContext(ctx)
	if hops := md.Get(forwarded); len(hops) > 0 {
		return network(last(hops[len(hops)-1]))
	}
	return ""
}

// last is the last entry of a list with commas.
func last(list string) string {
	return strings.TrimSpace(list[strings.LastIndexByte(list, ',')+1:])
}

// network is the address without its port, and of IPv6 the /64 that one subscriber has.
func network(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		at, err := netip.ParseAddrPort(address)
		if err != nil {
			return "" // a Unix socket
		}
		ip = at.Addr()
	}
	ip = ip.Unmap()
	if ip.Is4() {
		return "address " + ip.String()
	}
	prefix, err := ip.WithZone("").Prefix(64)
	if err != nil {
		return ""
	}
	return "address " + prefix.String()
}
