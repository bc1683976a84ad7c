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
}

func (r *Reconciler) newProviders() providers {
	apply := func(ctx context.Context, fs *v1alpha1.FleetService, child client.Object) error {
		return r.applyChild(ctx, &scope{fs: fs}, child)
	}
	return providers{consul: traffic.NewConsul(), objects: traffic.NewServiceObjects(r.client, apply)}
}

// providersOf are those that a service uses, in the order in which they are moved: who splits requests finely first, the
// Service object, which everybody else uses, last.
func (r *Reconciler) providersOf(fs *v1alpha1.FleetService) []traffic.Provider {
	var list []traffic.Provider
	if fs.Spec.Bindings != nil && fs.Spec.Bindings.Consul != nil {
		list = append(list, r.traffic.consul)
	}
	return append(list, r.traffic.objects)
}
