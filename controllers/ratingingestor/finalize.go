package ratingingestor

import (
	"context"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"movieexample.com/fleet/api/v1alpha1"
)

// finalizeDeadline is how long a deletion waits for the FleetService; then Kubernetes removes what is left.
const finalizeDeadline = time.Minute

// finalize lets the consumers leave the group and go, or lets them go on without an owner. Nothing of Kafka is touched.
func (r *Reconciler) finalize(ctx context.Context, ri *v1alpha1.RatingIngestor) (reconcile.Result, error) {
	if !controllerutil.ContainsFinalizer(ri, v1alpha1.Finalizer) {
		return reconcile.Result{}, nil
	}
	left := finalizeDeadline - r.clock.Since(ri.DeletionTimestamp.Time)
	fs := &v1alpha1.FleetService{}
	err := r.client.Get(ctx, client.ObjectKeyFromObject(ri), fs)
	if client.IgnoreNotFound(err) != nil {
		return reconcile.Result{}, fmt.Errorf("get FleetService %s: %w", ri.Name, err)
	}
	switch {
	case apierrors.IsNotFound(err) || !metav1.IsControlledBy(fs, ri):
		return reconcile.Result{}, r.letGo(ctx, ri)
	case ri.Spec.DeletionPolicy == v1alpha1.DeletionOrphan:
		if err := r.orphan(ctx, ri, fs); err != nil && left > 0 {
			return reconcile.Result{}, err
		}
		return reconcile.Result{}, r.letGo(ctx, ri)
	case left <= 0:
		r.tell(overdue(), ri, "FleetService %s is still there after %s; Kubernetes removes it", fs.Name, finalizeDeadline)
		return reconcile.Result{}, r.letGo(ctx, ri)
	case fs.DeletionTimestamp == nil:
		if err := r.client.Delete(ctx, fs, client.Preconditions{UID: &fs.UID}); client.IgnoreNotFound(err) != nil {
			return reconcile.Result{}, fmt.Errorf("delete FleetService %s: %w", fs.Name, err)
		}
	}
	return reconcile.Result{RequeueAfter: min(left, time.Second)}, nil
}

// orphan strips our ownership, so that the consumers go on when their owner is gone.
func (r *Reconciler) orphan(ctx context.Context, ri *v1alpha1.RatingIngestor, fs *v1alpha1.FleetService) error {
	before := fs.DeepCopy()
	fs.OwnerReferences = slices.DeleteFunc(fs.OwnerReferences, func(o metav1.OwnerReference) bool { return o.UID == ri.UID })
	if err := r.client.Patch(ctx, fs, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("let FleetService %s go: %w", fs.Name, err)
	}
	r.tell(orphaned(), ri, "deletionPolicy is Orphan: FleetService %s goes on without an owner", fs.Name)
	return nil
}

// letGo removes the finalizer.
func (r *Reconciler) letGo(ctx context.Context, ri *v1alpha1.RatingIngestor) error {
	before := ri.DeepCopy()
	controllerutil.RemoveFinalizer(ri, v1alpha1.Finalizer)
	err := r.client.Patch(ctx, ri, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("remove the finalizer: %w", err)
	}
	r.memory.forget(ri.UID)
	r.kafka.Forget(client.ObjectKeyFromObject(ri).String())
	forgetMetrics(client.ObjectKeyFromObject(ri))
	return nil
}
