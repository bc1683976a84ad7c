package discovery

import (
	"cmp"
	"context"
	"errors"
	"net"
	"slices"
	"strconv"
)

// ErrUnknownInstance means that the registry has lost the instance: it must be registered anew.
var ErrUnknownInstance = errors.New("the registry does not know this instance")

// Instance is one running copy of a service.
type Instance struct {
	ID        string // unique below the service; the pod's name
	Host      string // an IP address, or a name
	Port      int    // gRPC
	Revision  string // hash of the inputs it was made from; empty if nobody says
	PodUID    string
	Namespace string
	App       string
}

// Address is host:port, with brackets around an IPv6 host.
func (i Instance) Address() string { return net.JoinHostPort(i.Host, strconv.Itoa(i.Port)) }

// Snapshot is what a registry holds about a service at one moment.
type Snapshot struct {
	// Instances are the healthy ones, of all revisions.
	Instances []Instance
	// Subset is the revision that gets the requests, apart from what Split gives to others; empty means all instances
	// get them.
	Subset string
	// Split gives shares of the requests to revisions; empty means that Subset gets all of them.
	Split []Share
}

// Share is the part of the requests that is meant for one revision, however many instances it has.
type Share struct {
	Subset  string  // the revision; empty means that of Snapshot.Subset
	Percent float64 // of all requests; what the shares leave of 100 goes to Snapshot.Subset
}

// String is for logs: v2 1%.
func (s Share) String() string {
	return cmp.Or(s.Subset, "default") + " " + strconv.FormatFloat(s.Percent, 'g', -1, 32) + "%"
}

// Of returns the instances that the subset stands for.
func (s Snapshot) Of(subset string) []Instance {
	var list []Instance
	for _, i := range s.Instances {
		if subset == "" || i.Revision == subset {
			list = append(list, i)
		}
	}
	return list
}

// serving returns the instances that may get requests.
func (s Snapshot) serving() []Instance {
	return slices.DeleteFunc(slices.Clone(s.Instances), func(i Instance) bool {
		return s.Subset != "" && i.Revision != s.Subset && !slices.ContainsFunc(s.Split, func(share Share) bool {
			return share.Subset == i.Revision && share.Percent > 0
		})
	})
}

// Registrar announces instances.
type Registrar interface {
	// Register adds the instance as healthy; doing it again changes nothing.
	Register(ctx context.Context, service string, i Instance) error
	// Deregister takes the instance away; it is no error if it is not there.
	Deregister(ctx context.Context, service, id string) error
	// ReportHealthy must be called every second: an instance that is silent is soon taken for dead.
	// It wraps ErrUnknownInstance if the instance must be registered anew.
	ReportHealthy(ctx context.Context, service, id string, healthy bool) error
}

// Watcher finds instances.
type Watcher interface {
	// Watch calls update with the state at once and after every change, or with an error while the registry cannot be
	// asked, one call at a time. It returns when the context ends, and update is not called afterwards.
	Watch(ctx context.Context, service string, update func(Snapshot, error))
}

// Registry does both.
type Registry interface {
	Registrar
	Watcher
}
