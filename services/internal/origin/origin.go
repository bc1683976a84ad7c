package origin

import (
	"context"
	"net/netip"
	"slices"
	"strings"

	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
)

// forwarded is written by the REST server with the address of its client as the last one, and by proxies.
const forwarded = "x-forwarded-for"

// inside is the network of connections within the process, which only the REST server has.
const inside = "bufconn"

// Of is the address that a call came from: the other end of the connection, or, as long as that is one of the trusted
// proxies, whom it says it speaks for. It is the zero Addr if nobody knows.
func Of(ctx context.Context, trusted []netip.Prefix) netip.Addr {
	p, ok := peer.FromContext(ctx)
	if !ok || p.Addr == nil {
		return netip.Addr{}
	}
	path := hops(metadata.ValueFromIncomingContext(ctx, forwarded))
	if p.Addr.Network() == inside {
		return last(path, trusted)
	}
	return last(append(path, parse(p.Addr.String())), trusted)
}

// hops are all addresses in the order in which the call passed them; one that is none is the zero Addr.
func hops(values []string) []netip.Addr {
	var list []netip.Addr
	for _, value := range values {
		for text := range strings.SplitSeq(value, ",") {
			list = append(list, parse(strings.TrimSpace(text)))
		}
	}
	return list
}

// last goes back from the nearest hop to the first that is not trusted: what stands before it may be anybody's invention.
func last(hops []netip.Addr, trusted []netip.Prefix) netip.Addr {
	for i, hop := range slices.Backward(hops) {
		if i == 0 || !isTrusted(hop, trusted) {
			return hop
		}
	}
	return netip.Addr{}
}

func isTrusted(a netip.Addr, trusted []netip.Prefix) bool {
	return slices.ContainsFunc(trusted, func(p netip.Prefix) bool { return p.Contains(a) })
}

// parse takes an address with or without a port.
func parse(text string) netip.Addr {
	if withPort, err := netip.ParseAddrPort(text); err == nil {
		return withPort.Addr().Unmap().WithZone("")
	}
	a, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}
	}
	return a.Unmap().WithZone("")
}

// Network is what one party usually holds of addresses: an IPv4 address, or the first 64 bits of an IPv6 address. A limit
// for each single IPv6 address would limit nobody.
func Network(a netip.Addr) netip.Prefix {
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}
	prefix, err := a.Prefix(bits)
	if err != nil { // the zero Addr: all whom nobody knows are one party
		return netip.Prefix{}
	}
	return prefix
}
