package balance

import (
	"errors"
	"math/rand/v2"
	"sync"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/balancer/base"
	"google.golang.org/grpc/balancer/endpointsharding"
	"google.golang.org/grpc/balancer/pickfirst"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/resolver"

	"movieexample.com/fleet/services/internal/discovery"
	"movieexample.com/fleet/services/internal/discovery/balance/eject"
)

// Name is the policy's name in a service config.
const Name = "fleet_revision"

// ServiceConfig makes a connection use the policy.
const ServiceConfig = `{"loadBalancingConfig":[{"` + Name + `":{}}]}`

// Register makes the policy known to gRPC. Call it before a connection is made; doing it again changes nothing.
// It is a function and not an init so that only programs that ask for it get it.
var Register = sync.OnceFunc(func() { balancer.Register(builder{}) })

type builder struct{}

func (builder) Name() string { return Name }

// Build keeps a connection to every instance of every revision, so that a switch costs no call a connection set-up.
func (builder) Build(cc balancer.ClientConn, opts balancer.BuildOptions) balancer.Balancer {
	p := &policy{ClientConn: cc, group: eject.NewGroup()}
	p.children = endpointsharding.NewBalancer(p, opts, balancer.Get(pickfirst.Name).Build, endpointsharding.Options{})
	return p
}

// policy stands between gRPC and the balancer of all endpoints: down go the endpoints, up comes a picker over the
// chosen ones.
type policy struct {
	balancer.ClientConn
	children balancer.Balancer
	group    *eject.Group

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
	next, served := choose(endpoints(s.Picker, p.group), p.route, p.served, rand.Uint64N)
	p.served = served
	p.mu.Unlock()
	p.ClientConn.UpdateState(next)
}

// endpoints are all there are; those that can take calls are watched for whether they should.
func endpoints(picker balancer.Picker, group *eject.Group) []endpoint {
	children := endpointsharding.ChildStatesFromPicker(picker)
	list := make([]endpoint, 0, len(children))
	for _, c := range children {
		list = append(list, endpoint{
			address:  address(c.Endpoint),
			revision: discovery.RevisionOf(c.Endpoint),
			state:    c.State.ConnectivityState,
			picker:   c.State.Picker,
		})
	}
	watch(list, group)
	return list
}

func address(e resolver.Endpoint) string {
	if len(e.Addresses) == 0 {
		return ""
	}
	return e.Addresses[0].Addr
}

func watch(list []endpoint, group *eject.Group) {
	known := map[string]bool{}
	var ready []*endpoint
	var candidates []eject.Candidate
	for i := range list {
		e := &list[i]
		known[e.address] = true
		if e.state == connectivity.Ready {
			ready = append(ready, e)
			candidates = append(candidates, eject.Candidate{Address: e.address, Revision: e.revision})
		}
	}
	for i, m := range group.Set(candidates, func(address string) bool { return known[address] }) {
		ready[i].member = m
	}
}
