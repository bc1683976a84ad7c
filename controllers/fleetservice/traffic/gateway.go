package traffic

import (
	"context"
	"fmt"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/fleetservice/render"
)

// +kubebuilder:rbac:groups=gateway.networking.k8s.io,resources=httproutes;grpcroutes,verbs=get;create;patch;delete

// Remove deletes exactly the object that was observed; one that is gone is no error.
type Remove func(ctx context.Context, child client.Object) error

// Gateway splits the requests that enter the cluster, by the weights of routes that the operator owns as a whole. The
// routes are read from the API server, not from a cache: the Gateway API may not be installed.
type Gateway struct {
	direct client.Reader
	apply  Apply
	remove Remove
	clock  clock.PassiveClock

	mu sync.Mutex
	// absent are routes that are known not to be there, so that services without one cost no call.
	absent map[routeKey]bool
}

type routeKey struct {
	owner types.UID
	kind  string
}

var _ Provider = (*Gateway)(nil)

// NewGateway reads through direct and writes through apply and remove.
func NewGateway(direct client.Reader, apply Apply, remove Remove, clk clock.PassiveClock) *Gateway {
	return &Gateway{direct: direct, apply: apply, remove: remove, clock: clk, absent: map[routeKey]bool{}}
}

// ByGateway is true where requests from outside come through routes.
func ByGateway(fs *v1alpha1.FleetService) bool {
	return fs.Spec.Traffic != nil && fs.Spec.Traffic.NorthSouth == v1alpha1.NorthSouthGateway
}

// Name implements [Provider].
func (*Gateway) Name() string { return "the Gateway" }

// Follows implements [Provider]: the routes are as wanted, and every Gateway has taken them as they are now.
func (g *Gateway) Follows(ctx context.Context, t Target, split Split) (bool, error) {
	for _, r := range routes(t.Service, split) {
		if r.want == nil {
			continue
		}
		err := g.direct.Get(ctx, client.ObjectKeyFromObject(r.want), r.have)
		if apierrors.IsNotFound(err) {
			return false, nil
		}
		if err != nil {
			return false, explain(r, fmt.Errorf("get %s %s: %w", r.kind, r.want.GetName(), err))
		}
		if !metav1.IsControlledBy(r.have, t.Service) || !covers(specOf(r.have), specOf(r.want)) {
			return false, nil
		}
		if taken, err := g.taken(r); !taken || err != nil {
			return false, err
		}
	}
	return true, nil
}

// Move implements [Provider]. A route that the spec names no more is deleted. *Refusal needs a person.
func (g *Gateway) Move(ctx context.Context, t Target, split Split) error {
	for _, r := range routes(t.Service, split) {
		if r.want == nil {
			if err := g.drop(ctx, t.Service, r); err != nil {
				return err
			}
			continue
		}
		g.note(t.Service, r, false)
		if err := g.apply(ctx, t.Service, r.want); err != nil {
			return explain(r, err)
		}
	}
	return nil
}

// Remove implements [Provider]. For a service without routes it costs one look in the life of the process.
func (g *Gateway) Remove(ctx context.Context, t Target) error {
	for _, r := range routes(t.Service, Split{}) {
		if err := g.drop(ctx, t.Service, r); err != nil {
			return err
		}
	}
	return nil
}

// Owned are the routes of a service that are there.
func (g *Gateway) Owned(ctx context.Context, fs *v1alpha1.FleetService) ([]client.Object, error) {
	var owned []client.Object
	for _, r := range routes(fs, Split{}) {
		found, err := g.find(ctx, fs, r)
		if err != nil {
			return nil, err
		}
		if found {
			owned = append(owned, r.have)
		}
	}
	return owned, nil
}

// drop deletes a route of ours, and remembers that it is not there.
func (g *Gateway) drop(ctx context.Context, fs *v1alpha1.FleetService, r route) error {
	g.mu.Lock()
	known := g.absent[routeKey{fs.UID, r.kind}]
	g.mu.Unlock()
	if known {
		return nil
	}
	found, err := g.find(ctx, fs, r)
	if err == nil && found {
		err = g.remove(ctx, r.have)
	}
	if err != nil {
		return err
	}
	g.note(fs, r, true)
	return nil
}

// find looks for a route of ours. Where the Gateway API is not installed there is none.
func (g *Gateway) find(ctx context.Context, fs *v1alpha1.FleetService, r route) (bool, error) {
	err := g.direct.Get(ctx, client.ObjectKeyFromObject(fs), r.have)
	if apierrors.IsNotFound(err) || meta.IsNoMatchError(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("get %s %s: %w", r.kind, fs.Name, err)
	}
	return metav1.IsControlledBy(r.have, fs), nil
}

// maxAbsent bounds what is remembered of services that may be gone; beyond it everything is looked at anew.
const maxAbsent = 10_000

func (g *Gateway) note(fs *v1alpha1.FleetService, r route, absent bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.absent) >= maxAbsent {
		clear(g.absent)
	}
	if absent {
		g.absent[routeKey{fs.UID, r.kind}] = true
	} else {
		delete(g.absent, routeKey{fs.UID, r.kind})
	}
}

// route is a kind of route of a service: what it is to be, nil for none, and room for what it is.
type route struct {
	kind       string
	want, have client.Object
}

// routes are of both kinds. Where calls between services are split by pods the Service object of the service holds the
// pods of both revisions, in the share that is wanted: then all requests go to it, or the canary would get its share twice.
func routes(fs *v1alpha1.FleetService, split Split) []route {
	share := split.Percent
	if split.Other == "" || ByPods(fs) {
		share = 0
	}
	http, grpc := route{kind: "HTTPRoute", have: &gatewayv1.HTTPRoute{}}, route{kind: "GRPCRoute", have: &gatewayv1.GRPCRoute{}}
	if r := render.HTTPRoute(fs, share); r != nil {
		http.want = r
	}
	if r := render.GRPCRoute(fs, share); r != nil {
		grpc.want = r
	}
	return []route{http, grpc}
}

func specOf(o client.Object) any {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
	if err != nil {
		return nil
	}
	return content["spec"]
}

// covers is true when all of want stands in have. What an API server of another version fills in beside it counts not.
func covers(have, want any) bool {
	switch want := want.(type) {
	case map[string]any:
		have, ok := have.(map[string]any)
		for key, value := range want {
			ok = ok && covers(have[key], value)
		}
		return ok
	case []any:
		have, ok := have.([]any)
		ok = ok && len(have) == len(want)
		for i := range want {
			ok = ok && covers(have[i], want[i])
		}
		return ok
	}
	return have == want
}
