package movieapp

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/internal/bindings"
)

// observe looks at everything that the plan needs. The error means that the cache did not answer.
func (r *Reconciler) observe(ctx context.Context, app *v1alpha1.MovieApp) (observation, error) {
	o := observation{app: app, bindings: map[string]bindings.Report{}, unobserved: map[string]string{}}
	var err error
	if o.live, o.foreign, err = r.children(ctx, app); err != nil {
		return o, err
	}
	services, mistake := resolve(app)
	if mistake != nil {
		o.invalid = mistake.Error() // status tells it; there is nothing to look at
	} else {
		o.services = services
	}
	for _, s := range o.services {
		report, err := r.bindings.CheckService(ctx, app.Namespace, &s.spec.ServiceTemplate)
		if err != nil {
			o.unobserved[s.name] = err.Error() // status tells it as Unknown, and it is tried again soon
			continue
		}
		o.bindings[s.name] = report
	}
	return o, nil
}

// children are the FleetServices of a namespace: ours, and the names of all others.
func (r *Reconciler) children(ctx context.Context, app *v1alpha1.MovieApp) (live map[string]*v1alpha1.FleetService, foreign map[string]bool, err error) {
	list := &v1alpha1.FleetServiceList{}
	if err := r.client.List(ctx, list, client.InNamespace(app.Namespace)); err != nil {
		return nil, nil, fmt.Errorf("list FleetServices: %w", err)
	}
	live, foreign = map[string]*v1alpha1.FleetService{}, map[string]bool{}
	for i := range list.Items {
		fs := &list.Items[i]
		if metav1.IsControlledBy(fs, app) {
			live[fs.Name] = fs
		} else {
			foreign[fs.Name] = true
		}
	}
	return live, foreign, nil
}
