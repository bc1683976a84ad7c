package balance

import (
	"fmt"
	"math"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/balancer/base"
	"google.golang.org/grpc/connectivity"

	"movieexample.com/fleet/services/internal/discovery"
	"movieexample.com/fleet/services/internal/discovery/balance/eject"
)

// endpoint is one instance with the state of its connection.
type endpoint struct {
	address  string
	revision string
	state    connectivity.State
	picker   balancer.Picker
	member   *eject.Member // nil while it cannot take calls
}

// route is what the registry says of who gets the calls.
type route struct {
	subset string // the default revision; "" means all
	split  []discovery.Share
}

// revision is one that calls are meant for, and its endpoints by what their connections are good for.
type revision struct {
	name                    string
	weight                  uint64 // in hundredths of a percent, as Consul counts
	ready, waiting, failing []endpoint
}

const whole = 100 * 100 // hundredths of a percent

func newRevision(list []endpoint, name string) *revision {
	r := &revision{name: name}
	for _, e := range list {
		switch {
		case name != "" && e.revision != name:
		case e.state == connectivity.Ready:
			r.ready = append(r.ready, e)
		case e.state == connectivity.TransientFailure:
			r.failing = append(r.failing, e)
		default:
			r.waiting = append(r.waiting, e)
		}
	}
	return r
}

func (r *revision) unknown() bool { return len(r.ready)+len(r.waiting)+len(r.failing) == 0 }

// refuses tells whether every one of its instances is known not to take a connection.
func (r *revision) refuses() bool { return len(r.failing) > 0 && len(r.waiting) == 0 }

// weigh gives each revision its weight, the default one first. What the shares leave of 100 % is the default's, and so is
// what they give to a revision without an endpoint: the registry's parts do not change at the same moment, and no call
// may be lost in between. Shares beyond 100 % together are taken in proportion.
func weigh(list []endpoint, r route) []*revision {
	revisions := []*revision{newRevision(list, r.subset)}
	sum := uint64(0)
	for _, share := range r.split {
		weight := hundredths(share.Percent)
		sum += weight
		to := find(revisions, share.Subset)
		if to == nil {
			to = newRevision(list, share.Subset)
			if to.unknown() {
				to = revisions[0]
			} else {
				revisions = append(revisions, to)
			}
		}
		to.weight += weight
	}
	if sum < whole {
		revisions[0].weight += whole - sum
	}
	return revisions
}

func hundredths(percent float64) uint64 {
	if !(percent > 0) { // NaN too
		return 0
	}
	return uint64(math.Round(min(percent, 100) * 100))
}

// find returns the revision of that name, the default one for no name, and nil if it is not in the list.
func find(revisions []*revision, name string) *revision {
	if name == "" {
		return revisions[0]
	}
	for _, r := range revisions {
		if r.name == name {
			return r
		}
	}
	return nil
}

// choose is the decision. Each revision that has a weight gets its share by its ready instances; a revision that has
// none hands its share to a substitute, so that neither a switch nor a canary that cannot be reached fails a call.
// No call goes to a revision without a weight while one with a weight is ready, and none ever to one that the registry
// has not named.
func choose(list []endpoint, r route, served *string, draw func(uint64) uint64) (balancer.State, *string) {
	revisions := weigh(list, r)
	if len(revisions[0].ready) > 0 {
		served = &r.subset
	}
	other := substitute(list, revisions, served)
	if other == nil {
		return nobody(revisions, draw), served
	}
	taker := newPool(other.ready, draw)
	p := &picker{draw: draw}
	for i, to := range revisions {
		switch {
		case to == other:
			p.add(to.weight, taker, "")
		case len(to.ready) > 0:
			p.add(to.weight, newPool(to.ready, draw), "")
		case i == 0 && len(to.waiting) > 0 && other.weight > 0:
			// The calls of a stable revision that is just being connected wait: all of them at once could break a
			// canary that is made for a hundredth of them.
			p.add(to.weight, base.NewErrPicker(balancer.ErrNoSubConnAvailable), "")
		case to.refuses():
			p.add(to.weight, taker, to.name)
		default:
			p.add(to.weight, taker, "") // not connected yet, or without an instance: no fault of it is known
		}
	}
	return balancer.State{ConnectivityState: connectivity.Ready, Picker: p}, served
}

// substitute is the ready revision that takes the calls of those that are not: the default one if it has a weight; else
// the one with the largest; else, as no revision with a weight is ready, the default one or the last that served as
// such. It is nil if there is none.
func substitute(list []endpoint, revisions []*revision, served *string) *revision {
	byDefault := revisions[0]
	if len(byDefault.ready) > 0 && byDefault.weight > 0 {
		return byDefault
	}
	best := &revision{}
	for _, r := range revisions[1:] {
		if len(r.ready) > 0 && r.weight > best.weight {
			best = r
		}
	}
	switch {
	case best.weight > 0:
		return best
	case len(byDefault.ready) > 0:
		return byDefault
	case served == nil:
		return nil
	}
	if last := newRevision(list, *served); len(last.ready) > 0 {
		return last
	}
	return nil
}

// nobody is the state without a ready instance: calls wait if a connection is being made, else they fail with the error
// of the connections they were meant for.
func nobody(revisions []*revision, draw func(uint64) uint64) balancer.State {
	p := &picker{draw: draw}
	for i, r := range revisions {
		if len(r.waiting) > 0 && (i == 0 || r.weight > 0) {
			return balancer.State{
				ConnectivityState: connectivity.Connecting,
				Picker:            base.NewErrPicker(balancer.ErrNoSubConnAvailable),
			}
		}
		if len(r.failing) > 0 {
			p.add(r.weight, newPool(r.failing, draw), "") // its error says what is wrong with the connection
		} else {
			p.add(r.weight, base.NewErrPicker(fmt.Errorf("no instance of revision %s", r.name)), "")
		}
	}
	return balancer.State{ConnectivityState: connectivity.TransientFailure, Picker: p}
}
