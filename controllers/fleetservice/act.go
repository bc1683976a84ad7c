package fleetservice

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/fleetservice/plan"
	"movieexample.com/fleet/controllers/fleetservice/render"
	"movieexample.com/fleet/controllers/fleetservice/revision"
	"movieexample.com/fleet/controllers/fleetservice/traffic"
	"movieexample.com/fleet/controllers/internal/apply"
	"movieexample.com/fleet/controllers/internal/replicas"
)

// act carries out the plan in order and stops at the first action that fails: what comes later relies on it.
func (r *Reconciler) act(ctx context.Context, s *scope) error {
	actions := map[plan.ActionKind]func(context.Context, *scope, plan.Action) error{
		plan.Share: r.share, plan.Remember: r.remember, plan.Record: r.record, plan.Migrate: r.migrate,
		plan.Run: r.run, plan.Route: r.route, plan.GoBack: r.goBack, plan.Sweep: r.sweep,
	}
	for _, a := range s.plan.Actions {
		if err := actions[a.Kind](ctx, s, a); err != nil {
			return err
		}
	}
	return nil
}

// applyChild applies one child, and tells about a hand edit that was undone.
func (r *Reconciler) applyChild(ctx context.Context, s *scope, child client.Object) error {
	result, err := r.applier.Apply(ctx, child)
	if err != nil {
		return err
	}
	if len(result.Restored) > 0 {
		r.announceRestored(s, child, result)
	}
	if result.Recreated {
		r.announceRecreated(s, child)
	}
	return nil
}

// share applies what all revisions of the service share.
func (r *Reconciler) share(ctx context.Context, s *scope, _ plan.Action) error {
	if s.fs.Spec.Replicas == nil {
		if err := r.nameReplicas(ctx, s.fs); err != nil {
			return err
		}
	}
	for _, child := range []client.Object{render.ServiceAccount(s.fs), render.Headless(s.fs)} {
		if err := r.applyChild(ctx, s, child); err != nil {
			return err
		}
	}
	if err := r.reserveNames(ctx, s); err != nil {
		return err
	}
	if err := r.applyIf(ctx, s, s.observation.Replicas > 1, render.DisruptionBudget(s.fs)); err != nil {
		return err
	}
	return r.applyIf(ctx, s, s.fs.Spec.Autoscaling != nil, render.Autoscaler(s.fs))
}

// reserveNames makes the Service objects before there is a revision that they could select: a resolver that was asked for a
// name too early would keep saying for seconds that there is none. One that is there already may serve, and is left alone.
func (r *Reconciler) reserveNames(ctx context.Context, s *scope) error {
	if s.observation.State.Stable.Hash != "" || s.fs.Spec.Consumer != nil { // nobody calls a consumer
		return nil
	}
	for _, service := range render.Services(s.fs, "", "") {
		err := r.client.Get(ctx, client.ObjectKeyFromObject(service), &corev1.Service{})
		if apierrors.IsNotFound(err) {
			err = r.applyChild(ctx, s, service)
		}
		if err != nil {
			return fmt.Errorf("reserve the name of Service %s: %w", service.Name, err)
		}
	}
	return nil
}

// nameReplicas writes a number that nobody named: for an autoscaler a number that is missing is 0, which it never changes.
func (r *Reconciler) nameReplicas(ctx context.Context, fs *v1alpha1.FleetService) error {
	n := int32(1)
	if fs.Spec.Autoscaling != nil {
		n = fs.Spec.Autoscaling.MinReplicas
	}
	return replicas.Own(ctx, r.client, fs, n)
}

// applyIf applies a child that is wanted and removes one of ours that is not.
func (r *Reconciler) applyIf(ctx context.Context, s *scope, wanted bool, child client.Object) error {
	if wanted {
		return r.applyChild(ctx, s, child)
	}
	err := r.client.Get(ctx, client.ObjectKeyFromObject(s.fs), child)
	if apierrors.IsNotFound(err) || (err == nil && !metav1.IsControlledBy(child, s.fs)) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("get %s %s: %w", kindOf(child, r.client), s.fs.Name, err)
	}
	return r.remove(ctx, child)
}

// record stores the snapshot of the desired revision, once.
func (r *Reconciler) record(ctx context.Context, s *scope, a plan.Action) error {
	snapshot, err := s.snapshot(a.Hash)
	if s.snapshots[a.Hash] != nil || snapshot == nil || err != nil {
		return err
	}
	number := int64(1)
	for _, cr := range s.snapshots {
		number = max(number, cr.Revision+1)
	}
	cr, err := render.ControllerRevision(s.fs, a.Hash, snapshot, number)
	if err != nil {
		return err
	}
	if err := r.createOnce(ctx, s, cr); err != nil {
		return fmt.Errorf("record revision %s: %w", a.Hash, err)
	}
	s.snapshots[a.Hash] = cr
	return nil
}

// createOnce creates a child that never changes. One that is there already must be ours.
func (r *Reconciler) createOnce(ctx context.Context, s *scope, child client.Object) error {
	there := child.DeepCopyObject().(client.Object)
	err := r.direct.Get(ctx, client.ObjectKeyFromObject(child), there)
	if apierrors.IsNotFound(err) {
		return r.client.Create(ctx, child, client.FieldOwner(fieldManager))
	}
	if err == nil && !metav1.IsControlledBy(there, s.fs) {
		return &apply.NameTaken{Kind: kindOf(child, r.client), Namespace: child.GetNamespace(), Name: child.GetName()}
	}
	return err
}

// migrate starts the migration Job of the desired revision. A Job's template cannot change, so it is created once.
func (r *Reconciler) migrate(ctx context.Context, s *scope, a plan.Action) error {
	if a.Hash != s.observation.Desired.Hash {
		return nil // the spec moved on: its revision replaces this one next
	}
	snapshot, err := s.snapshot(a.Hash)
	if err != nil || snapshot == nil {
		return err
	}
	if err := r.applyChild(ctx, s, render.ConfigMap(s.fs, a.Hash, snapshot)); err != nil {
		return err
	}
	if err := r.createOnce(ctx, s, render.MigrationJob(s.fs, a.Hash, snapshot)); err != nil {
		return fmt.Errorf("start the migration of revision %s: %w", a.Hash, err)
	}
	return nil
}

// run applies a revision's config and Deployment from its snapshot. Without a snapshot (somebody deleted it) a
// running Deployment is left as it is.
func (r *Reconciler) run(ctx context.Context, s *scope, a plan.Action) error {
	snapshot, err := s.snapshot(a.Hash)
	if err != nil {
		return err
	}
	if snapshot == nil {
		r.announceSnapshotMissing(s, a.Hash)
		return nil
	}
	if err := r.applyChild(ctx, s, render.ConfigMap(s.fs, a.Hash, snapshot)); err != nil {
		return err
	}
	d := render.Deployment(s.fs, a.Hash, snapshot, a.Pods)
	if a.Shadow {
		render.AsShadow(d)
	}
	return r.applyChild(ctx, s, d)
}

// snapshot is what a revision was rendered to: as recorded, or as just rendered for the desired one.
func (s *scope) snapshot(hash string) (*revision.Snapshot, error) {
	if cr := s.snapshots[hash]; cr != nil && cr.Data.Raw != nil {
		return revision.Decode(cr)
	}
	if hash == s.observation.Desired.Hash {
		return s.desired, nil
	}
	if p := s.ledger.Promoted; p != nil && p.Hash == hash {
		return p.Snapshot, nil
	}
	return nil, nil
}

// route makes requests go as the plan says, through each provider in turn. One that fails holds those after it, unless
// requests are only taken away.
func (r *Reconciler) route(ctx context.Context, s *scope, a plan.Action) error {
	away := s.bindsConsul() && s.report.Consul == nil // until the Secret is mended; status says so
	if away && !a.Withdraw {
		return nil
	}
	split := splitOf(&s.observation, a.Split)
	var failures []error
	for _, p := range s.providers {
		if away && p == r.traffic.consul {
			continue
		}
		err := p.Move(ctx, s.target(), split)
		if err != nil && !a.Withdraw {
			return err
		}
		failures = append(failures, err)
	}
	if err := errors.Join(failures...); away || err != nil {
		return err
	}
	s.routed = !s.observation.Traffic.Follows || s.observation.State.Traffic.Split != a.Split
	if !traffic.ByGateway(s.fs) { // there may be routes from when it was
		return r.traffic.gateway.Remove(ctx, s.target())
	}
	return nil
}
