package fleetservice

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/utils/ptr"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/fleetservice/evidence"
	"movieexample.com/fleet/controllers/fleetservice/plan"
	"movieexample.com/fleet/controllers/fleetservice/render"
	"movieexample.com/fleet/controllers/fleetservice/signals"
	"movieexample.com/fleet/controllers/fleetservice/signals/count"
	"movieexample.com/fleet/controllers/fleetservice/traffic"
	"movieexample.com/fleet/controllers/internal/conditions"
)

// stateOf reads the planner's state from status.
func stateOf(st *v1alpha1.FleetServiceStatus) plan.State {
	state := plan.State{Stable: part(st.Stable), Canary: part(st.Canary), Previous: part(st.Previous)}
	for i := range st.Leaving {
		state.Leaving = append(state.Leaving, part(&st.Leaving[i]))
	}
	if r := st.Rollout; r != nil {
		state.Percent, state.Granted = r.Weight, r.Granted
	}
	if b := st.Bake; b != nil && b.AskingSince != nil {
		state.Asking = b.AskingSince.Time
	}
	if r := st.Rejected; r != nil {
		state.Rejected = plan.Rejection{Hash: r.Hash, Image: r.Image, Reason: r.Reason, Message: r.Message, At: r.At.Time, Quarantined: r.Quarantined}
	}
	if t := st.Traffic; t != nil {
		state.Traffic = plan.Position{Split: plan.Split{Main: t.Revision, Other: t.Other, Percent: t.OtherPercent}, Since: t.Since.Time}
	}
	if c := st.LastCommand; c != nil {
		state.Command = plan.Command{Text: c.Command, Outcome: c.Outcome, At: c.At.Time}
	}
	return state
}

func part(r *v1alpha1.RevisionStatus) plan.Part {
	if r == nil {
		return plan.Part{}
	}
	p := plan.Part{Hash: r.Hash, Image: r.Image, Since: r.Since.Time}
	if r.QuietSince != nil {
		p.Quiet = r.QuietSince.Time
	}
	if r.TrialSince != nil {
		p.Trial = r.TrialSince.Time
	}
	return p
}

// setState writes the planner's state into status. What is known besides of a revision that stays is kept.
func setState(st *v1alpha1.FleetServiceStatus, state plan.State) {
	counts := map[string]v1alpha1.RevisionStatus{}
	for _, r := range revisionsIn(st) {
		counts[r.Hash] = *r
	}
	st.Stable, st.Canary, st.Previous = revisionStatus(state.Stable, counts), revisionStatus(state.Canary, counts), revisionStatus(state.Previous, counts)
	st.Leaving = nil
	for _, p := range state.Leaving {
		st.Leaving = append(st.Leaving, *revisionStatus(p, counts))
	}
	setRollout(st, state)
	setBake(st, state)
	setRejected(st, state.Rejected)
	setTraffic(st, state.Traffic)
	if c := state.Command; c.Text != "" {
		st.LastCommand = &v1alpha1.CommandStatus{Command: c.Text, Outcome: c.Outcome, At: seconds(c.At)}
	}
}

// revisionsIn are the live revisions in status.
func revisionsIn(st *v1alpha1.FleetServiceStatus) []*v1alpha1.RevisionStatus {
	list := slices.DeleteFunc([]*v1alpha1.RevisionStatus{st.Stable, st.Canary, st.Previous}, func(r *v1alpha1.RevisionStatus) bool { return r == nil })
	for i := range st.Leaving {
		list = append(list, &st.Leaving[i])
	}
	return list
}

func revisionStatus(p plan.Part, counts map[string]v1alpha1.RevisionStatus) *v1alpha1.RevisionStatus {
	if p.Hash == "" {
		return nil
	}
	c := counts[p.Hash]
	r := &v1alpha1.RevisionStatus{Hash: p.Hash, Image: p.Image, Since: seconds(p.Since), Replicas: c.Replicas, ReadyReplicas: c.ReadyReplicas}
	if !p.Quiet.IsZero() {
		r.QuietSince = ptr.To(seconds(p.Quiet))
	}
	if !p.Trial.IsZero() {
		r.TrialSince = ptr.To(seconds(p.Trial))
	}
	return r
}

// setRollout keeps the numbers while the canary and its weight stay.
func setRollout(st *v1alpha1.FleetServiceStatus, state plan.State) {
	if state.Canary.Hash == "" || state.Stable.Hash == "" {
		st.Rollout = nil
		return
	}
	r := v1alpha1.RolloutStatus{Since: seconds(state.Traffic.Since)}
	if st.Rollout != nil && state.Percent > 0 {
		r = *st.Rollout
	}
	if state.Traffic.Percent == state.Percent {
		r.Since = seconds(state.Traffic.Since)
	}
	r.Weight, r.Granted = state.Percent, state.Granted
	st.Rollout = &r
}

func setBake(st *v1alpha1.FleetServiceStatus, state plan.State) {
	if state.Previous.Hash == "" {
		st.Bake = nil
		return
	}
	b := v1alpha1.BakeStatus{Until: seconds(state.Stable.Since)}
	if st.Bake != nil {
		b = *st.Bake
	}
	b.AskingSince = nil
	if !state.Asking.IsZero() {
		b.AskingSince = ptr.To(seconds(state.Asking))
	}
	st.Bake = &b
}

// setRejected keeps the numbers of a rejection that stays.
func setRejected(st *v1alpha1.FleetServiceStatus, r plan.Rejection) {
	if r.Hash == "" {
		st.Rejected = nil
		return
	}
	next := v1alpha1.RejectedRevision{Hash: r.Hash, Image: r.Image, Reason: r.Reason, Message: r.Message, At: seconds(r.At), Quarantined: r.Quarantined}
	if st.Rejected != nil && st.Rejected.Hash == r.Hash && st.Rejected.At.Equal(&next.At) {
		next.Signals = st.Rejected.Signals
	}
	st.Rejected = &next
}

func setTraffic(st *v1alpha1.FleetServiceStatus, t plan.Position) {
	through := ""
	if st.Traffic != nil {
		through = st.Traffic.Through
	}
	st.Traffic = nil
	if t.Main != "" {
		st.Traffic = &v1alpha1.TrafficStatus{Revision: t.Main, Other: t.Other, OtherPercent: t.Percent, Through: through, Since: seconds(t.Since)}
	}
}

// seconds is how the API server stores times: what is written must equal what is read back.
func seconds(t time.Time) metav1.Time { return metav1.NewTime(t.Truncate(time.Second)) }

// numbersEvery is how often numbers that change with each look are written while nothing else changes.
const numbersEvery = 10 * time.Second

// report writes status when it differs from what is stored, and not otherwise. Numbers alone wait for some seconds.
func (r *Reconciler) report(ctx context.Context, s *scope) error {
	before := s.fs.Status.DeepCopy()
	r.fill(s)
	if equality.Semantic.DeepEqual(before, &s.fs.Status) {
		return nil
	}
	if same(before, &s.fs.Status) && !r.memory.due(s.fs.UID, r.clock.Now()) {
		return nil
	}
	if err := r.client.Status().Update(ctx, s.fs); err != nil {
		if apierrors.IsConflict(err) {
			return nil // looked at anew at the other's event
		}
		return fmt.Errorf("write status: %w", err)
	}
	r.memory.wrote(s.fs.UID, r.clock.Now())
	r.announceDamage(s, before)
	return nil
}

// fill writes everything that is not the planner's state into status.
func (r *Reconciler) fill(s *scope) {
	s.count()
	if t := s.fs.Status.Traffic; t != nil {
		t.Through = traffic.Names(s.providers)
	}
	s.fs.Status.Consul = s.registrations()
	s.tellEvidence()
	r.setConditions(s)
}

// same is true for two statuses that differ in numbers and their sentences only.
func same(a, b *v1alpha1.FleetServiceStatus) bool {
	return equality.Semantic.DeepEqual(withoutNumbers(a), withoutNumbers(b))
}

func withoutNumbers(st *v1alpha1.FleetServiceStatus) *v1alpha1.FleetServiceStatus {
	st = st.DeepCopy()
	if r := st.Rollout; r != nil {
		st.Rollout = &v1alpha1.RolloutStatus{Weight: r.Weight, Granted: r.Granted, Next: r.Next, Since: r.Since}
	}
	if st.Bake != nil {
		st.Bake.Suspicion = ""
	}
	if st.Phase == "Canary" || st.Phase == "Paused" || st.Phase == "Baking" {
		for i := range st.Conditions {
			st.Conditions[i].Message = ""
		}
	}
	return st
}

// count fills in the numbers of pods.
func (s *scope) count() {
	st := &s.fs.Status
	st.Replicas = 0
	for _, rev := range s.observation.Revisions {
		st.Replicas += rev.Pods
	}
	st.Selector = labels.SelectorFromSet(render.PodSelector(s.fs.Name)).String()
	for _, r := range revisionsIn(st) {
		r.Replicas, r.ReadyReplicas = s.observation.Revisions[r.Hash].Pods, s.observation.Revisions[r.Hash].Ready
	}
	st.Ready = ""
	if st.Stable != nil {
		st.Ready = fmt.Sprintf("%d/%d", st.Stable.ReadyReplicas, s.observation.Replicas)
	}
}

// tellEvidence fills in what was counted.
func (s *scope) tellEvidence() {
	st, j := &s.fs.Status, s.judgement
	if b := st.Bake; b != nil {
		b.Until = seconds(plan.BakeUntil(s.observation))
		b.Suspicion = j.SuspicionNumber
	}
	r := st.Rollout
	if r == nil || r.Weight == 0 {
		return
	}
	r.Next = plan.NextPercent(s.observation)
	r.CountedBy, r.MeasuredPercent, r.SmallestEffect, r.TimeLeft = j.CountedBy, j.MeasuredPercent, j.SmallestEffect, ""
	if j.TimeLeft > 0 {
		r.TimeLeft = j.TimeLeft.Round(time.Second).String()
	}
	r.Signals = signalStatus(j.Signals)
}

func signalStatus(list []evidence.SignalSummary) []v1alpha1.SignalStatus {
	var out []v1alpha1.SignalStatus
	for _, g := range list {
		out = append(out, v1alpha1.SignalStatus{
			Name: g.Name, Canary: bad(g.Canary), Stable: bad(g.Stable), Against: g.Against, ForNext: g.ForNext,
		})
	}
	return out
}

// tellRejection adds the numbers that a revision was taken back for.
func (s *scope) tellRejection(before *v1alpha1.FleetServiceStatus) {
	r := s.fs.Status.Rejected
	if r != nil && s.book != nil && (before.Rejected == nil || !before.Rejected.At.Equal(&r.At)) {
		r.Signals = signalStatus(s.judgement.Signals)
	}
}

func bad(t signals.Total) string { return fmt.Sprintf("%d/%d", t.Bad, t.Requests) }

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
	set(v1alpha1.ConditionBaking, view.Baking, view.Reason, view.Message)
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
	if f := s.findings; f != (count.Findings{}) {
		set(v1alpha1.ConditionObjectivesValid, false, f.Reason, f.Unmeasurable)
	} else if plan.Watching(s.observation) {
		set(v1alpha1.ConditionObjectivesValid, true, v1alpha1.ReasonMeasurable, "every objective can be measured")
	}
	if why := s.observation.LedgerDamaged; why != "" {
		set(v1alpha1.ConditionLedgerReadable, false, v1alpha1.ReasonLedgerDamaged, why)
	} else {
		conditions.Remove(&s.fs.Status.Conditions, v1alpha1.ConditionLedgerReadable)
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
		if errors.As(s.actErr, &s.refusal) {
			view.Reason = v1alpha1.ReasonTrafficRefused
		}
		view.Ready, view.Stalled = false, true
	case s.refusal != nil:
		view.Phase, view.Reason, view.Message = "Stalled", v1alpha1.ReasonTrafficRefused, s.refusal.Error()
		view.Ready, view.Stalled = false, true
	case !s.report.Ready && !view.Stalled:
		view.Reason, view.Message = v1alpha1.ReasonBindingsMissing, s.report.Message()
		view.Ready = false
	case s.actErr != nil && s.observation.Traffic.Unreachable != "" && view.Reason == v1alpha1.ReasonTakenBack: // which says so
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
	for kind, status := range map[string]metav1.ConditionStatus{
		v1alpha1.ConditionReady: metav1.ConditionFalse, v1alpha1.ConditionReconciling: metav1.ConditionTrue, v1alpha1.ConditionStalled: metav1.ConditionFalse,
	} {
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
