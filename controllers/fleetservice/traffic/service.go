package traffic

import (
	"context"
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/fleetservice/render"
)

// Apply brings a child of a service to what is wanted, and writes only what differs.
type Apply func(ctx context.Context, fs *v1alpha1.FleetService, child client.Object) error

// ServiceObjects moves the Service objects: the name that callers know selects the main revision. Where nothing finer
// splits calls between services, it selects every pod while another revision has a share, which is then made by the
// numbers of pods: for each request of callers that balance over the headless Service object, for each connection of
// callers that use the name.
type ServiceObjects struct {
	reader client.Reader
	apply  Apply
}

var _ Provider = (*ServiceObjects)(nil)

// NewServiceObjects reads from a cache and writes through apply.
func NewServiceObjects(reader client.Reader, apply Apply) *ServiceObjects {
	return &ServiceObjects{reader: reader, apply: apply}
}

// Name implements [Provider].
func (*ServiceObjects) Name() string { return "the Service object" }

// Follows implements [Provider].
func (o *ServiceObjects) Follows(ctx context.Context, t Target, split Split) (bool, error) {
	for _, want := range wanted(t.Service, split) {
		have := &corev1.Service{}
		err := o.reader.Get(ctx, client.ObjectKeyFromObject(want), have)
		if apierrors.IsNotFound(err) {
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("get Service %s: %w", want.Name, err)
		}
		if !metav1.IsControlledBy(have, t.Service) || !maps.Equal(have.Spec.Selector, want.Spec.Selector) {
			return false, nil
		}
	}
	return true, nil
}

// Move implements [Provider].
func (o *ServiceObjects) Move(ctx context.Context, t Target, split Split) error {
	for _, service := range wanted(t.Service, split) {
		if err := o.apply(ctx, t.Service, service); err != nil {
			return err
		}
	}
	return nil
}

// Remove implements [Provider]: the objects go with their owner.
func (*ServiceObjects) Remove(context.Context, Target) error { return nil }

// ByPods is true where calls between services are split by the numbers of pods.
func ByPods(fs *v1alpha1.FleetService) bool {
	bound := fs.Spec.Bindings != nil && fs.Spec.Bindings.Consul != nil
	return !bound || (fs.Spec.Traffic != nil && fs.Spec.Traffic.EastWest == v1alpha1.EastWestReplicas)
}

func wanted(fs *v1alpha1.FleetService, split Split) []*corev1.Service {
	services := render.Services(fs, split.Main, split.Other)
	if split.Percent > 0 && ByPods(fs) {
		services[0].Spec.Selector = render.PodSelector(fs.Name)
	}
	return services
}
