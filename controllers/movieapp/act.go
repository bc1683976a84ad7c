package movieapp

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/internal/apply"
	"movieexample.com/fleet/controllers/internal/replicas"
)

// act carries out a plan. What only a person can mend is noted in the step, for status; other errors are returned,
// after every service had its turn.
func (r *Reconciler) act(ctx context.Context, o observation, p *plan) error {
	var failed []error
	for i := range p.steps {
		st := &p.steps[i]
		err := r.do(ctx, o.app, st)
		if err != nil && !st.refused(err) {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

func (r *Reconciler) do(ctx context.Context, app *v1alpha1.MovieApp, st *step) error {
	switch st.verb {
	case wait:
		return nil
	case remove:
		return r.delete(ctx, app, st.live)
	case create, keep, advance:
		if st.handOver {
			if err := replicas.Own(ctx, r.client, st.live, *st.live.Spec.Replicas); err != nil {
				return err
			}
		}
		return r.apply(ctx, app, st)
	}
	return nil
}

func (r *Reconciler) apply(ctx context.Context, app *v1alpha1.MovieApp, st *step) error {
	result, err := r.applier.Apply(ctx, child(app, st))
	if err != nil {
		return err
	}
	st.changed(result.Generation)
	r.announceStep(app, st, result)
	return nil
}

// child is a FleetService as it is to be.
func child(app *v1alpha1.MovieApp, st *step) *v1alpha1.FleetService {
	return &v1alpha1.FleetService{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: app.Namespace,
			Name:      st.fleetService,
			Labels: map[string]string{
				v1alpha1.LabelManagedBy: v1alpha1.ManagedByValue,
				v1alpha1.LabelApp:       app.Name,
				v1alpha1.LabelService:   st.fleetService,
				v1alpha1.LabelComponent: st.name,
			},
			Annotations:     map[string]string{v1alpha1.AnnotationReleased: st.release},
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(app, v1alpha1.GroupVersion.WithKind("MovieApp"))},
		},
		Spec: st.spec,
	}
}

// refused notes an error that only a person can mend, and is false for any other.
func (st *step) refused(err error) bool {
	var taken *apply.NameTaken
	switch {
	case errors.As(err, &taken):
		st.reason, st.message = v1alpha1.ReasonNameTaken, taken.Error()
	case apierrors.IsInvalid(err):
		st.reason, st.message = v1alpha1.ReasonInvalidSpec, err.Error()
	default:
		return false
	}
	st.stuck, st.settled = true, false
	return true
}

// delete deletes one FleetService: this very one, not another of its name.
func (r *Reconciler) delete(ctx context.Context, app *v1alpha1.MovieApp, fs *v1alpha1.FleetService) error {
	if fs.DeletionTimestamp != nil {
		return nil
	}
	err := r.client.Delete(ctx, fs, client.Preconditions{UID: &fs.UID})
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("delete FleetService %s: %w", fs.Name, err)
	}
	r.applier.Forget(v1alpha1.GroupVersion.WithKind("FleetService"), client.ObjectKeyFromObject(fs))
	r.announceRemoved(app, fs)
	return nil
}
