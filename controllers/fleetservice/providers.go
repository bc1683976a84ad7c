package fleetservice

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/fleetservice/traffic"
)

// providers are all ways in which requests are moved.
type providers struct {
	consul  *traffic.Consul
	objects *traffic.ServiceObjects
	gateway *traffic.Gateway
}

func (r *Reconciler) newProviders() providers {
	apply := func(ctx context.Context, fs *v1alpha1.FleetService, child client.Object) error {
		return r.applyChild(ctx, &scope{fs: fs}, child)
	}
	return providers{
		consul: traffic.NewConsul(), objects: traffic.NewServiceObjects(r.client, apply),
		gateway: traffic.NewGateway(r.direct, apply, r.remove, r.clock),
	}
}

// providersOf are those that a service uses, in the order in which they are moved: Consul, which can be away, before
// anything else moves; the Gateway last, since its routes lead to the Service objects.
func (r *Reconciler) providersOf(fs *v1alpha1.FleetService) []traffic.Provider {
	if fs.Spec.Consumer != nil {
		return nil // its group gives the members their partitions
	}
	var list []traffic.Provider
	if fs.Spec.Bindings != nil && fs.Spec.Bindings.Consul != nil {
		list = append(list, r.traffic.consul)
	}
	list = append(list, r.traffic.objects)
	if traffic.ByGateway(fs) {
		list = append(list, r.traffic.gateway)
	}
	return list
}
