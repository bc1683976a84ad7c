package fleetservice

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/fleetservice/render"
	"movieexample.com/fleet/controllers/fleetservice/traffic"
)

// finalizeDeadline is how long a deletion waits for what it cannot reach.
const finalizeDeadline = time.Minute

// finalize takes a deleted service down in order: its pods drain, then its Consul entries go, then the finalizer. It
// creates nothing. The garbage collector removes the children that are left.
func (r *Reconciler) finalize(ctx context.Context, fs *v1alpha1.FleetService) (reconcile.Result, error) {
	if !controllerutil.ContainsFinalizer(fs, v1alpha1.Finalizer) {
		return reconcile.Result{}, nil
	}
	late := r.clock.Since(fs.DeletionTimestamp.Time) >= finalizeDeadline
	if fs.Spec.DeletionPolicy == v1alpha1.DeletionOrphan {
		if err := r.orphan(ctx, fs); err != nil && !late {
			return reconcile.Result{}, err
		}
		return reconcile.Result{}, r.release(ctx, fs)
	}
	if err := r.reportDeleting(ctx, fs); err != nil && !late {
		return reconcile.Result{}, err
	}
	if err := r.settleTraffic(ctx, fs); err != nil && !late {
		return reconcile.Result{}, err
	}
	gone, err := r.drainAll(ctx, fs)
	if err != nil && !late {
		return reconcile.Result{}, err
	}
	if !gone && !late {
		return reconcile.Result{RequeueAfter: time.Second}, nil
	}
	if !gone {
		r.announceSkipped(fs, "pods are still stopping")
	}
	if err := r.leaveTraffic(ctx, fs, late); err != nil {
		return reconcile.Result{}, err
	}
	if err := r.closeLedger(ctx, fs); err != nil && !late {
		return reconcile.Result{}, err
	}
	return reconcile.Result{}, r.release(ctx, fs)
}

// drainAll deletes the Deployments and Jobs, and reports whether every pod has gone.
func (r *Reconciler) drainAll(ctx context.Context, fs *v1alpha1.FleetService) (bool, error) {
	s := &scope{fs: fs}
	if err := r.observeChildren(ctx, s); err != nil {
		return false, err
	}
	for _, d := range s.deployments {
		if err := r.remove(ctx, d); err != nil {
			return false, err
		}
	}
	for _, j := range s.jobs {
		if err := r.remove(ctx, j); err != nil {
			return false, err
		}
	}
	var pods corev1.PodList
	if err := r.client.List(ctx, &pods, client.InNamespace(fs.Namespace), client.MatchingLabels(render.PodSelector(fs.Name))); err != nil {
		return false, fmt.Errorf("list pods: %w", err)
	}
	return len(s.deployments) == 0 && len(pods.Items) == 0, nil
}

// leavingTarget is the service as providers know it. Where the Secret went first, the agent last used is asked.
func (r *Reconciler) leavingTarget(ctx context.Context, fs *v1alpha1.FleetService) traffic.Target {
	t := traffic.Target{Service: fs}
	if agent, known := r.memory.agent(fs.UID); known {
		t.Consul = &agent
	}
	if report, err := r.bindings.Check(ctx, fs.Namespace, fs.Spec.Bindings); err == nil && report.Consul != nil {
		t.Consul = report.Consul
	}
	return t
}

// leaveTraffic removes what the providers have made of the service; one that is away keeps no other from it.
func (r *Reconciler) leaveTraffic(ctx context.Context, fs *v1alpha1.FleetService, late bool) error {
	target := r.leavingTarget(ctx, fs)
	var failures []error
	for _, p := range r.providersOf(fs) {
		if p == r.traffic.consul && target.Consul == nil {
			r.announceSkipped(fs, "its Consul entries: the Secret with Consul's address is gone")
			continue
		}
		if err := p.Remove(ctx, target); err != nil {
			failures = append(failures, fmt.Errorf("what %s holds of it: %w", p.Name(), err))
		}
	}
	for _, old := range former(fs) {
		if err := r.leaveRegistry(ctx, fs, old); err != nil {
			failures = append(failures, fmt.Errorf("what Consul holds of it by Secret %s: %w", old.SecretName, err))
		}
	}
	if err := errors.Join(failures...); err != nil && !late {
		return err
	}
	for _, err := range failures {
		r.announceSkipped(fs, err.Error())
	}
	return nil
}

// settleTraffic sends all requests to the stable revision before anything goes: a canary's pods may end first.
func (r *Reconciler) settleTraffic(ctx context.Context, fs *v1alpha1.FleetService) error {
	state := stateOf(&fs.Status)
	if state.Stable.Hash == "" || (state.Percent == 0 && state.Asking.IsZero()) {
		return nil
	}
	target := r.leavingTarget(ctx, fs)
	live := []string{state.Stable.Hash, state.Canary.Hash, state.Previous.Hash}
	split := traffic.Split{Main: state.Stable.Hash, Live: slices.DeleteFunc(live, func(h string) bool { return h == "" })}
	var failures []error
	for _, p := range r.providersOf(fs) {
		if p != r.traffic.consul || target.Consul != nil {
			failures = append(failures, p.Move(ctx, target, split))
		}
	}
	return errors.Join(failures...)
}

// orphan strips our ownership from every child, so that the service keeps running without us.
func (r *Reconciler) orphan(ctx context.Context, fs *v1alpha1.FleetService) error {
	lists := []client.ObjectList{
		&appsv1.DeploymentList{}, &appsv1.ControllerRevisionList{}, &batchv1.JobList{}, &corev1.ServiceList{},
		&corev1.ConfigMapList{}, &corev1.ServiceAccountList{}, &policyv1.PodDisruptionBudgetList{}, &autoscalingv2.HorizontalPodAutoscalerList{},
	}
	for _, list := range lists {
		if err := r.client.List(ctx, list, client.InNamespace(fs.Namespace), client.MatchingLabels(render.PodSelector(fs.Name))); err != nil {
			return fmt.Errorf("list %T: %w", list, err)
		}
		if err := eachObject(list, func(o client.Object) error { return r.disown(ctx, fs, o) }); err != nil {
			return err
		}
	}
	routes, err := r.traffic.gateway.Owned(ctx, fs)
	if err != nil {
		return err
	}
	for _, o := range routes {
		if err := r.disown(ctx, fs, o); err != nil {
			return err
		}
	}
	return nil
}

func (r *Reconciler) disown(ctx context.Context, fs *v1alpha1.FleetService, o client.Object) error {
	if !metav1.IsControlledBy(o, fs) {
		return nil
	}
	before := o.DeepCopyObject().(client.Object)
	if err := controllerutil.RemoveControllerReference(fs, o, r.client.Scheme()); err != nil {
		return fmt.Errorf("release %T %s: %w", o, o.GetName(), err)
	}
	if err := r.client.Patch(ctx, o, client.MergeFrom(before)); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("release %T %s: %w", o, o.GetName(), err)
	}
	return nil
}

// release removes the finalizer.
func (r *Reconciler) release(ctx context.Context, fs *v1alpha1.FleetService) error {
	before := fs.DeepCopy()
	controllerutil.RemoveFinalizer(fs, v1alpha1.Finalizer)
	if err := r.client.Patch(ctx, fs, client.MergeFrom(before)); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("remove the finalizer: %w", err)
	}
	r.memory.forget(fs.UID)
	r.desk.Forget(client.ObjectKeyFromObject(fs).String())
	forgetMetrics(client.ObjectKeyFromObject(fs))
	r.applier.ForgetOwned(fs.UID)
	return nil
}
