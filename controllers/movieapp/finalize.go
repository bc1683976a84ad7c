package movieapp

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/internal/conditions"
)

// finalizeDeadline is how long a deletion may hold the resource; then Kubernetes removes what is left, without order.
const finalizeDeadline = time.Minute

// finalize takes a deleted application down, callers before those they call, or lets its services go. It creates nothing.
func (r *Reconciler) finalize(ctx context.Context, app *v1alpha1.MovieApp) (reconcile.Result, error) {
	if !controllerutil.ContainsFinalizer(app, v1alpha1.Finalizer) {
		return reconcile.Result{}, nil
	}
	left := finalizeDeadline - r.clock.Since(app.DeletionTimestamp.Time)
	live, _, err := r.children(ctx, app)
	if err != nil {
		return reconcile.Result{}, err
	}
	if app.Spec.DeletionPolicy == v1alpha1.DeletionOrphan {
		if err := r.orphan(ctx, app, live); err != nil && left > 0 {
			return reconcile.Result{}, err
		}
		return reconcile.Result{}, r.letGo(ctx, app)
	}
	if len(live) > 0 && left <= 0 {
		r.announceDeadline(app, slices.Sorted(maps.Keys(live)))
	}
	if len(live) == 0 || left <= 0 {
		return reconcile.Result{}, r.letGo(ctx, app)
	}
	for _, fs := range leaving(app, live) {
		if err := r.delete(ctx, app, fs); err != nil {
			return reconcile.Result{}, err
		}
	}
	again, err := r.report(ctx, app, deleting(app, live, r.clock.Now()))
	if again {
		left = min(left, soon)
	}
	return reconcile.Result{RequeueAfter: left}, err
}

// leaving are the FleetServices that no other one that still lives depends on. Those that the spec does not name any
// more go last: who calls them is not known.
func leaving(app *v1alpha1.MovieApp, live map[string]*v1alpha1.FleetService) []*v1alpha1.FleetService {
	called := map[string]bool{}
	var named, all []*v1alpha1.FleetService
	for _, name := range slices.Sorted(maps.Keys(live)) {
		for _, d := range dependencies(app, component(app, name)) {
			called[d] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(live)) {
		all = append(all, live[name])
		if _, ok := app.Spec.Services[component(app, name)]; ok && !called[component(app, name)] {
			named = append(named, live[name])
		}
	}
	if len(named) > 0 {
		return named
	}
	return all // only services that the spec does not name, or a circle: there is no order
}

// deleting is the status while services go.
func deleting(app *v1alpha1.MovieApp, live map[string]*v1alpha1.FleetService, now time.Time) v1alpha1.MovieAppStatus {
	status := *app.Status.DeepCopy()
	status.ObservedGeneration = app.Generation
	status.Phase = phaseDeleting
	message := "these are still there, callers go first: " + strings.Join(slices.Sorted(maps.Keys(live)), ", ")
	for _, c := range []metav1.Condition{
		condition(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonDeleting, message),
		condition(v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonDeleting, message),
		condition(v1alpha1.ConditionStalled, metav1.ConditionFalse, v1alpha1.ReasonDeleting, "nothing needs a person"),
	} {
		conditions.Set(&status.Conditions, app.Generation, now, c)
	}
	return status
}

// orphan strips our ownership, so that the services keep running when their owner is gone.
func (r *Reconciler) orphan(ctx context.Context, app *v1alpha1.MovieApp, live map[string]*v1alpha1.FleetService) error {
	for _, name := range slices.Sorted(maps.Keys(live)) {
		fs := live[name].DeepCopy()
		before := fs.DeepCopy()
		fs.OwnerReferences = slices.DeleteFunc(fs.OwnerReferences, func(o metav1.OwnerReference) bool { return o.UID == app.UID })
		patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
		if err := r.client.Patch(ctx, fs, patch); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("let FleetService %s go: %w", name, err)
		}
	}
	if err := errors.Join(r.releaseKeys(ctx, app), r.releaseCertificates(ctx, app, live), r.releaseFlags(ctx, app)); err != nil {
		return err
	}
	if len(live) > 0 {
		r.announceOrphaned(app, slices.Sorted(maps.Keys(live)))
	}
	return nil
}

// letGo removes the finalizer.
func (r *Reconciler) letGo(ctx context.Context, app *v1alpha1.MovieApp) error {
	r.certificates.forget(app)
	before := app.DeepCopy()
	controllerutil.RemoveFinalizer(app, v1alpha1.Finalizer)
	err := r.client.Patch(ctx, app, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("remove the finalizer: %w", err)
	}
	return nil
}
