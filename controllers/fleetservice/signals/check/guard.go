package check

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"syscall"
)

// guard keeps whoever may write a FleetService from making the operator call what it should not.
type guard struct {
	hosts []string
}

func newGuard(hosts []string) guard {
	g := guard{}
	for _, h := range hosts {
		g.hosts = append(g.hosts, canonical(h))
	}
	return g
}

func canonical(host string) string {
	return strings.TrimSuffix(strings.ToLower(strings.Trim(strings.TrimSpace(host), "[]")), ".")
}

// names tells whether the administrator named a host.
func (g guard) names(host string) bool { return slices.Contains(g.hosts, canonical(host)) }

// control is asked of each address right before it is dialled, so that no name can lead where it must not. An address of
// the operator's own node, or one that hands out a cloud's credentials, must itself have been named.
func (g guard) control(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%q is no address", address)
	}
	if ip := at.Addr().Unmap().WithZone(""); private(ip) && !g.names(ip.String()) {
		return fmt.Errorf("address %s is the node's own or a cloud's metadata, which are not called", ip)
	}
	return nil
}

// Clouds hand out credentials also at addresses that are not link-local: AWS (IPv6), Alibaba, Azure.
var metadata = []netip.Addr{ // a constant
	netip.MustParseAddr("fd00:ec2::254"), netip.MustParseAddr("100.100.100.200"), netip.MustParseAddr("168.63.129.16"),
}

// nat64 are IPv4 addresses in the last four bytes (RFC 6052).
var nat64 = netip.MustParsePrefix("64:ff9b::/96") // a constant

func private(ip netip.Addr) bool {
	if nat64.Contains(ip) {
		bytes := ip.As16()
		ip = netip.AddrFrom4([4]byte(bytes[12:]))
	}
	return ip.IsLoopback() || ip.IsLinkLocalUnicast() || ip.IsMulticast() || ip.IsUnspecified() || slices.Contains(metadata, ip)
}
