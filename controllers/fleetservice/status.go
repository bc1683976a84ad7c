package fleetservice

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/fleetservice/plan"
	"movieexample.com/fleet/controllers/fleetservice/render"
	"movieexample.com/fleet/controllers/internal/conditions"
)

// stateOf reads the planner's state from status.
func stateOf(st *v1alpha1.FleetServiceStatus) plan.State {
	state := plan.State{Stable: part(st.Stable), Canary: part(st.Canary), Previous: part(st.Previous)}
	if r := st.Rejected; r != nil {
		state.Rejected = plan.Rejection{Hash: r.Hash, Image: r.Image, Reason: r.Reason, Message: r.Message, At: r.At.Time}
	}
	if t := st.Traffic; t != nil {
		state.Traffic = plan.Position{Hash: t.Revision, Since: t.Since.Time}
	}
	return state
}

func part(r *v1alpha1.RevisionStatus) plan.Part {
	if r == nil {
		return plan.Part{}
	}
	return plan.Part{Hash: r.Hash, Image: r.Image, Since: r.Since.Time}
}

// setState writes the planner's state into status. Counts of pods are kept where the revision stays the same.
func setState(st *v1alpha1.FleetServiceStatus, state plan.State) {
	counts := map[string]v1alpha1.RevisionStatus{}
	for _, r := range []*v1alpha1.RevisionStatus{st.Stable, st.Canary, st.Previous} {
		if r != nil {
			counts[r.Hash] = *r
		}
	}
	st.Stable, st.Canary, st.Previous = revisionStatus(state.Stable, counts), revisionStatus(state.Canary, counts), revisionStatus(state.Previous, counts)
	through := ""
	if st.Traffic != nil {
		through = st.Traffic.Through
	}
	st.Rejected, st.Traffic = nil, nil
	if r := state.Rejected; r.Hash != "" {
		st.Rejected = &v1alpha1.RejectedRevision{Hash: r.Hash, Image: r.Image, Reason: r.Reason, Message: r.Message, At: seconds(r.At)}
	}
	if t := state.Traffic; t.Hash != "" {
		st.Traffic = &v1alpha1.TrafficStatus{Revision: t.Hash, Through: through, Since: seconds(t.Since)}
	}
}

func revisionStatus(p plan.Part, counts map[string]v1alpha1.RevisionStatus) *v1alpha1.RevisionStatus {
	if p.Hash == "" {
		return nil
	}
	c := counts[p.Hash]
	return &v1alpha1.RevisionStatus{Hash: p.Hash, Image: p.Image, Since: seconds(p.Since), Replicas: c.Replicas, ReadyReplicas: c.ReadyReplicas}
}

// seconds is how the API server stores times: what is written must equal what is read back.
func seconds(t time.Time) metav1.Time { return metav1.NewTime(t.Truncate(time.Second)) }

// report writes status when it differs from what is stored, and not otherwise.
func (r *Reconciler) report(ctx context.Context, s *scope) error {
	before := s.fs.Status.DeepCopy()
	st := &s.fs.Status
	s.count()
	if t := st.Traffic; t != nil {
		t.Through = "Service object"
		if s.bindsConsul() {
			t.Through = "Consul and the Service object"
		}
	}
	r.setConditions(s)
	if equality.Semantic.DeepEqual(before, st) {
		return nil
	}
	if err := r.client.Status().Update(ctx, s.fs); err != nil && !apierrors.IsConflict(err) {
		return fmt.Errorf("write status: %w", err)
	}
	return nil
}

// count fills in the numbers of pods.
func (s *scope) count() {
	st := &s.fs.Status
	st.Replicas = 0
	for _, rev := range s.observation.Revisions {
		st.Replicas += rev.Pods
	}
	st.Selector = labels.SelectorFromSet(render.PodSelector(s.fs.Name)).String()
	for _, r := range []*v1alpha1.RevisionStatus{st.Stable, st.Canary, st.Previous} {
		if r != nil {
			r.Replicas, r.ReadyReplicas = s.observation.Revisions[r.Hash].Pods, s.observation.Revisions[r.Hash].Ready
		}
	}
	st.Ready = ""
	if st.Stable != nil {
		st.Ready = fmt.Sprintf("%d/%d", st.Stable.ReadyReplicas, s.observation.Replicas)
	}
}

// setConditions translates the outlook. Ready, Reconciling and Stalled exclude each other.
func (r *Reconciler) setConditions(s *scope) {
	st, view := &s.fs.Status, r.view(s)
	st.ObservedGeneration, st.Phase = s.fs.Generation, view.Phase
	set := func(kind string, is bool, reason, message string) {
		status := metav1.ConditionFalse
		if is {
			status = metav1.ConditionTrue
		}
		conditions.Set(&st.Conditions, s.fs.Generation, r.clock.Now(), metav1.Condition{Type: kind, Status: status, Reason: reason, Message: message})
	}
	set(v1alpha1.ConditionReady, view.Ready, view.Reason, view.Message)
	set(v1alpha1.ConditionReconciling, !view.Ready && !view.Stalled, view.Reason, view.Message)
	set(v1alpha1.ConditionStalled, view.Stalled, view.Reason, view.Message)
	set(v1alpha1.ConditionProgressing, view.Progressing, view.Reason, view.Message)
	setAvailable(s, set, view)
	setChecks(s, set)
	if rejected := st.Rejected; rejected != nil && view.Reason == v1alpha1.ReasonTakenBack {
		set(v1alpha1.ConditionRolledBack, true, rejected.Reason, view.Message)
	} else {
		conditions.Remove(&st.Conditions, v1alpha1.ConditionRolledBack)
	}
}

type setter func(kind string, is bool, reason, message string)

func setAvailable(s *scope, set setter, view plan.Outlook) {
	if view.Available {
		set(v1alpha1.ConditionAvailable, true, v1alpha1.ReasonServing, "revision "+s.observation.State.Stable.Hash+" serves")
		return
	}
	set(v1alpha1.ConditionAvailable, false, v1alpha1.ReasonUnavailable, "no revision serves yet, or its pods are not ready: "+view.Message)
}

func setChecks(s *scope, set setter) {
	if s.invalid != "" {
		set(v1alpha1.ConditionSpecValid, false, v1alpha1.ReasonInvalidSpec, s.invalid)
	} else {
		set(v1alpha1.ConditionSpecValid, true, v1alpha1.ReasonValid, "the spec can be rendered and the API server takes the result")
	}
	if s.report.Ready {
		set(v1alpha1.ConditionBindingsReady, true, v1alpha1.ReasonBindingsFound, "every bound Secret is there with all its keys")
	} else {
		set(v1alpha1.ConditionBindingsReady, false, v1alpha1.ReasonBindingsMissing, s.report.Message())
	}
}

// view is the planner's outlook, unless something outside its sight matters more.
func (r *Reconciler) view(s *scope) plan.Outlook {
	view := s.plan.Outlook
	switch {
	case s.invalid != "":
		view.Phase, view.Reason, view.Message = "Stalled", v1alpha1.ReasonInvalidSpec, s.invalid
		view.Ready, view.Stalled = false, true
	case explained(s.actErr):
		view.Phase, view.Reason, view.Message = "Stalled", v1alpha1.ReasonNameTaken, s.actErr.Error()
		view.Ready, view.Stalled = false, true
	case !s.report.Ready && !view.Stalled:
		view.Reason, view.Message = v1alpha1.ReasonBindingsMissing, s.report.Message()
		view.Ready = false
	case s.actErr != nil && s.observation.Traffic.Unreachable != "" && !view.Ready:
		view.Reason = v1alpha1.ReasonDiscoveryUnavailable
		view.Message = "nothing moves until " + s.observation.Traffic.Unreachable
	case s.actErr != nil:
		view.Message = fmt.Sprintf("%s (trying again: %v)", view.Message, s.actErr)
	}
	return view
}

// reportUnknown says that nothing is known, which is neither good nor bad.
func (r *Reconciler) reportUnknown(ctx context.Context, s *scope, cause error) error {
	before := s.fs.Status.DeepCopy()
	conditions.Set(&s.fs.Status.Conditions, s.fs.Generation, r.clock.Now(), metav1.Condition{
		Type: v1alpha1.ConditionReady, Status: metav1.ConditionUnknown, Reason: v1alpha1.ReasonCouldNotObserve, Message: cause.Error(),
	})
	if equality.Semantic.DeepEqual(before, &s.fs.Status) {
		return nil
	}
	if err := r.client.Status().Update(ctx, s.fs); err != nil && !apierrors.IsConflict(err) {
		return fmt.Errorf("write status: %w", err)
	}
	return nil
}

// reportDeleting says that a service is on its way out, once.
func (r *Reconciler) reportDeleting(ctx context.Context, fs *v1alpha1.FleetService) error {
	before := fs.Status.DeepCopy()
	fs.Status.Phase = "Deleting"
	for kind, status := range map[string]metav1.ConditionStatus{v1alpha1.ConditionReady: metav1.ConditionFalse, v1alpha1.ConditionReconciling: metav1.ConditionTrue} {
		conditions.Set(&fs.Status.Conditions, fs.Generation, r.clock.Now(), metav1.Condition{
			Type: kind, Status: status, Reason: v1alpha1.ReasonDeleting, Message: "pods finish their requests and go, then the entries in Consul",
		})
	}
	if equality.Semantic.DeepEqual(before, &fs.Status) {
		return nil
	}
	if err := r.client.Status().Update(ctx, fs); err != nil && !apierrors.IsConflict(err) && !apierrors.IsNotFound(err) {
		return fmt.Errorf("write status: %w", err)
	}
	return nil
}
