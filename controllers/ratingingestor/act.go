package ratingingestor

import (
	"context"
	"errors"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/internal/apply"
	"movieexample.com/fleet/controllers/internal/replicas"
)

// act applies the FleetService. What only a person can mend is noted in the plan, for status.
func (r *Reconciler) act(ctx context.Context, o observation, p *plan) error {
	if p.child == nil {
		return nil
	}
	if p.handOver {
		if err := replicas.Own(ctx, r.client, o.live, *o.live.Spec.Replicas); err != nil {
			return err
		}
	}
	result, err := r.applier.Apply(ctx, p.child)
	var taken *apply.NameTaken
	switch {
	case errors.As(err, &taken):
		p.obstacle = condition(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonNameTaken, taken.Error())
		return nil
	case apierrors.IsInvalid(err):
		p.obstacle = condition(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonInvalidSpec, err.Error())
		return nil
	case err != nil:
		return err
	}
	p.generation = result.Generation
	r.announceApplied(o, p, result)
	return nil
}

// scaled says from how many pods to how many the plan goes; ok is false where it does not.
func scaled(o observation, p *plan) (from, to int32, ok bool) {
	if o.live == nil || o.live.Spec.Replicas == nil || p.child.Spec.Replicas == nil {
		return 0, 0, false
	}
	from, to = ptr.Deref(o.live.Spec.Replicas, 0), ptr.Deref(p.child.Spec.Replicas, 0)
	return from, to, from != to
}
