package balance

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/balancer/base"
	"google.golang.org/grpc/balancer/endpointsharding"
	"google.golang.org/grpc/balancer/pickfirst"
	"google.golang.org/grpc/connectivity"

	"movieexample.com/fleet/services/internal/discovery"
)

// Name is the policy's name in a service config.
const Name = "fleet_revision"

// ServiceConfig makes a connection use the policy.
const ServiceConfig = `{"loadBalancingConfig":[{"` + Name + `":{}}]}`

// Register makes the policy known to gRPC. Call it before a connection is made; doing it again changes nothing.
// It is a function and not an init so that only programs that ask for it get it.
var Register = sync.OnceFunc(func() { balancer.Register(builder{}) })

// Picked learns the revision of the instance that a call went to.
type Picked struct{ revision atomic.Pointer[string] }

// Revision is that of the last instance picked, or "" if none was or if it has none.
func (p *Picked) Revision() string {
	if r := p.revision.Load(); r != nil {
		return *r
	}
	return ""
}

type pickedKey struct{}

// WithPicked gives a call a place for the revision it goes to: the one that its caller has made already, or a new one.
func WithPicked(ctx context.Context) (context.Context, *Picked) {
	if p, ok := ctx.Value(pickedKey{}).(*Picked); ok {
		return ctx, p
	}
	p := &Picked{}
	return context.WithValue(ctx, pickedKey{}, p), p
}

type builder struct{}

func (builder) Name() string { return Name }

// Build keeps a connection to every instance of every revision, so that a switch costs no call a connection set-up.
func (builder) Build(cc balancer.ClientConn, opts balancer.BuildOptions) balancer.Balancer {
	p := &policy{ClientConn: cc}
	p.children = endpointsharding.NewBalancer(p, opts, balancer.Get(pickfirst.Name).Build, endpointsharding.Options{})
	return p
}

// policy stands between gRPC and the balancer of all endpoints: down go the endpoints, up comes a picker over the
// chosen ones.
type policy struct {
	balancer.ClientConn
	children balancer.Balancer

	mu     sync.Mutex
	known  bool // there were endpoints once
	subset string
	served *string // the subset that gets the calls now; nil before the first
}

func (p *policy) UpdateClientConnState(s balancer.ClientConnState) error {
	if len(s.ResolverState.Endpoints) == 0 {
		p.ResolverError(errors.New("the name has no address"))
		return balancer.ErrBadResolverState
	}
	p.mu.Lock()
	p.known, p.subset = true, discovery.SubsetOf(s.ResolverState)
	p.mu.Unlock()
	return p.children.UpdateClientConnState(balancer.ClientConnState{ResolverState: s.ResolverState})
}

// ResolverError keeps the endpoints there are; it fails calls only if there never was one.
func (p *policy) ResolverError(err error) {
	p.mu.Lock()
	known := p.known
	p.mu.Unlock()
	if !known {
		p.ClientConn.UpdateState(balancer.State{
			ConnectivityState: connectivity.TransientFailure,
			Picker:            base.NewErrPicker(err),
		})
	}
}

// UpdateSubConnState is not called: the children listen themselves.
func (p *policy) UpdateSubConnState(balancer.SubConn, balancer.SubConnState) {}

func (p *policy) ExitIdle() { p.children.ExitIdle() }

func (p *policy) Close() { p.children.Close() }

// UpdateState is called by the children whenever an endpoint's connection changes.
func (p *policy) UpdateState(s balancer.State) {
	p.mu.Lock()
	if !p.known { // an empty set of children says nothing of use
		p.mu.Unlock()
		return
	}
	next, served := choose(endpoints(s.Picker), p.subset, p.served)
	p.served = served
	p.mu.Unlock()
	p.ClientConn.UpdateState(next)
}

// endpoint is one instance with the state of its connection.
type endpoint struct {
	revision string
	state    connectivity.State
	picker   balancer.Picker
}

func endpoints(picker balancer.Picker) []endpoint {
	children := endpointsharding.ChildStatesFromPicker(picker)
	list := make([]endpoint, 0, len(children))
	for _, c := range children {
		list = append(list, endpoint{
			revision: discovery.RevisionOf(c.Endpoint),
			state:    c.State.ConnectivityState,
			picker:   c.State.Picker,
		})
	}
	return list
}

func in(list []endpoint, subset string, state connectivity.State) []endpoint {
	var found []endpoint
	for _, e := range list {
		if (subset == "" || e.revision == subset) && e.state == state {
			found = append(found, e)
		}
	}
	return found
}

// choose is the decision: the ready instances of the subset; until there is one, those of the subset served so far, so
// that a switch fails no call. It never goes to a revision that the registry has not named.
func choose(list []endpoint, subset string, served *string) (balancer.State, *string) {
	if ready := in(list, subset, connectivity.Ready); len(ready) > 0 {
		return balancer.State{ConnectivityState: connectivity.Ready, Picker: newPicker(ready)}, &subset
	}
	if served != nil {
		if ready := in(list, *served, connectivity.Ready); len(ready) > 0 {
			return balancer.State{ConnectivityState: connectivity.Ready, Picker: newPicker(ready)}, served
		}
	}
	if len(in(list, subset, connectivity.Connecting))+len(in(list, subset, connectivity.Idle)) > 0 {
		return balancer.State{
			ConnectivityState: connectivity.Connecting,
			Picker:            base.NewErrPicker(balancer.ErrNoSubConnAvailable),
		}, served
	}
	return failing(list, subset), served
}

func failing(list []endpoint, subset string) balancer.State {
	s := balancer.State{ConnectivityState: connectivity.TransientFailure}
	if broken := in(list, subset, connectivity.TransientFailure); len(broken) > 0 {
		s.Picker = newPicker(broken) // its error says what is wrong with the connection
		return s
	}
	s.Picker = base.NewErrPicker(fmt.Errorf("no instance of revision %s", subset))
	return s
}

// picker goes round its endpoints.
type picker struct {
	endpoints []endpoint
	next      atomic.Uint64
}

func newPicker(list []endpoint) *picker { return &picker{endpoints: list} }

func (p *picker) Pick(info balancer.PickInfo) (balancer.PickResult, error) {
	e := p.endpoints[p.next.Add(1)%uint64(len(p.endpoints))]
	if picked, ok := info.Ctx.Value(pickedKey{}).(*Picked); ok {
		picked.revision.Store(&e.revision)
	}
	return e.picker.Pick(info)
}
