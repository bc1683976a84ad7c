package fleetservice

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/fleetservice/plan"
	"movieexample.com/fleet/controllers/fleetservice/render"
)

const defaultHistory = 10

// sweep removes the Deployments, configs and Jobs of revisions that play no part any more, and snapshots beyond the
// history, and from Consul the instances of pods that are gone. The last migration Job of a revision that was taken back
// stays, so that its logs can be read.
func (r *Reconciler) sweep(ctx context.Context, s *scope, _ plan.Action) error {
	state := s.observation.State
	live := map[string]bool{state.Stable.Hash: true, state.Canary.Hash: true, state.Previous.Hash: true}
	for _, p := range state.Leaving {
		live[p.Hash] = true
	}
	var gone []client.Object
	for hash, d := range s.deployments {
		if !live[hash] {
			gone = append(gone, d)
		}
	}
	for hash, j := range s.jobs {
		if !live[hash] && hash != state.Rejected.Hash {
			gone = append(gone, j)
		}
	}
	configs, err := r.idleConfigs(ctx, s, live)
	if err != nil {
		return err
	}
	for _, o := range slices.Concat(gone, configs, oldSnapshots(s, live), oldRewinds(s)) {
		if err := r.remove(ctx, o); err != nil {
			return err
		}
	}
	r.sweepRegistry(ctx, s)
	r.leaveRegistries(ctx, s)
	return nil
}

// idleConfigs are the config maps of revisions without a Deployment.
func (r *Reconciler) idleConfigs(ctx context.Context, s *scope, live map[string]bool) ([]client.Object, error) {
	var configs corev1.ConfigMapList
	if err := r.client.List(ctx, &configs, client.InNamespace(s.fs.Namespace), client.MatchingLabels(render.PodSelector(s.fs.Name))); err != nil {
		return nil, fmt.Errorf("list config maps: %w", err)
	}
	var idle []client.Object
	for i := range configs.Items {
		c := &configs.Items[i]
		hash := c.Labels[v1alpha1.LabelRevision]
		if hash != "" && !live[hash] && s.deployments[hash] == nil && metav1.IsControlledBy(c, s.fs) {
			idle = append(idle, c)
		}
	}
	return idle, nil
}

func oldSnapshots(s *scope, live map[string]bool) []client.Object {
	limit := defaultHistory
	if p := s.fs.Spec.Rollout; p != nil {
		limit = int(ptr.Deref(p.RevisionHistoryLimit, defaultHistory))
	}
	var spare []*appsv1.ControllerRevision
	for hash, cr := range s.snapshots {
		if !live[hash] && hash != s.observation.State.Rejected.Hash && hash != s.observation.Desired.Hash {
			spare = append(spare, cr)
		}
	}
	slices.SortFunc(spare, func(a, b *appsv1.ControllerRevision) int { return cmp.Compare(b.Revision, a.Revision) })
	var old []client.Object
	for i := limit; i < len(spare); i++ {
		old = append(old, spare[i])
	}
	return old
}

// remove deletes exactly the object that was observed, and its dependents in the background.
func (r *Reconciler) remove(ctx context.Context, o client.Object) error {
	if !o.GetDeletionTimestamp().IsZero() {
		return nil
	}
	if gvk, err := r.client.GroupVersionKindFor(o); err == nil {
		r.applier.Forget(gvk, client.ObjectKeyFromObject(o)) // gone by our own hand
	}
	err := r.client.Delete(ctx, o, client.PropagationPolicy(metav1.DeletePropagationBackground), client.Preconditions{UID: ptr.To(o.GetUID())})
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("delete %T %s: %w", o, o.GetName(), err)
	}
	return nil
}
