package traffic

import (
	"cmp"
	"context"
	"strings"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/fleetservice/revision"
	"movieexample.com/fleet/controllers/internal/bindings"
)

// Split is where the requests of a service are to go.
type Split struct {
	// Main gets all requests but the other's share.
	Main string
	// Other is the revision beside it, empty where there is none.
	Other string
	// Percent is Other's share, from 0 to 100 in whole percents.
	Percent int32
	// Live are all revisions with pods, in no order, Main and Other among them.
	Live []string
}

// Target is the service whose requests are moved.
type Target struct {
	Service *v1alpha1.FleetService
	// Consul is the service's agent; nil where there is none, or where its Secret cannot be read.
	Consul *bindings.Consul
	// Name is the service's name in Consul; empty means the one that its spec says.
	Name string
}

func (t Target) name() string { return cmp.Or(t.Name, revision.ConsulName(t.Service)) }

// Provider moves requests of one kind. Each method may be called again at any time and writes only what differs.
type Provider interface {
	// Name says in status through what requests are moved.
	Name() string
	// Follows tells whether requests go as the split says. An error means that it could not be seen.
	Follows(ctx context.Context, target Target, split Split) (bool, error)
	// Move makes requests go as the split says, and restores what somebody else has changed. What it does is seen by
	// Follows. The error *NameTaken needs a person.
	Move(ctx context.Context, target Target, split Split) error
	// Remove takes away all that Move has made. What is not there, or is another's, is no error.
	Remove(ctx context.Context, target Target) error
}

// Names says through what requests are moved, such as "Consul and the Service object".
func Names(providers []Provider) string {
	var names []string
	for _, p := range providers {
		names = append(names, p.Name())
	}
	switch n := len(names); n {
	case 0:
		return ""
	case 1:
		return names[0]
	default:
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	}
}
