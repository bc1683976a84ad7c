package balance

import (
	"context"
	"errors"
	"math/rand/v2"
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

// Picked learns where a call went.
type Picked struct{ revision, missed atomic.Pointer[string] }

// Revision is that of the last instance picked, or "" if none was or if it has none.
func (p *Picked) Revision() string { return text(p.revision.Load()) }

// Missed is the revision that the call was meant for, if no instance of it could be reached and another revision took
// the call; else "".
func (p *Picked) Missed() string { return text(p.missed.Load()) }

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

type pickedKey struct{}

// WithPicked gives a call a place for where it goes to: the one that its caller has made already, or a new one.
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
	route  route
	served *string // the default revision that had a ready instance last; nil before the first
}

func (p *policy) UpdateClientConnState(s balancer.ClientConnState) error {
	if len(s.ResolverState.Endpoints) == 0 {
		p.ResolverError(errors.New("the name has no address"))
		return balancer.ErrBadResolverState
	}
	p.mu.Lock()
	p.known = true
	p.route = route{subset: discovery.SubsetOf(s.ResolverState), split: discovery.SplitOf(s.ResolverState)}
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

// UpdateState is called by the children whenever an endpoint's connection changes, and after every change of the route.
func (p *policy) UpdateState(s balancer.State) {
	p.mu.Lock()
	if !p.known { // an empty set of children says nothing of use
		p.mu.Unlock()
		return
	}
	next, served := choose(endpoints(s.Picker), p.route, p.served, rand.Uint64N)
	p.served = served
	p.mu.Unlock()
	p.ClientConn.UpdateState(next)
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
