package limits

import (
	"context"
	"net/netip"

	"movieexample.com/fleet/services/internal/identity"
	"movieexample.com/fleet/services/internal/origin"
)

// caller names who calls: the identity in its certificate, else the subject of its token, else its address; "" if nobody
// can tell. An address is that of the client before proxies that are trusted.
func caller(ctx context.Context, subject func(context.Context) string, trusted []netip.Prefix) string {
	if id, ok := identity.Caller(ctx); ok {
		return "certificate " + id.String()
	}
	if subject != nil {
		if who := subject(ctx); who != "" {
			return "subject " + who
		}
	}
	return byAddress(origin.Of(ctx, trusted))
}

// byAddress is an IPv4 address, and of IPv6 the /64 that one subscriber has; "" for one that nobody knows.
func byAddress(a netip.Addr) string {
	switch {
	case !a.IsValid():
		return ""
	case a.Is4():
		return "address " + a.String()
	}
	return "address " + origin.Network(a).String()
}
