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
	"movieexample.com/fleet/controllers/fleetservice/evidence"
	"movieexample.com/fleet/controllers/fleetservice/plan"
	"movieexample.com/fleet/controllers/fleetservice/render"
	"movieexample.com/fleet/controllers/fleetservice/signals"
	"movieexample.com/fleet/controllers/fleetservice/traffic"
	"movieexample.com/fleet/controllers/internal/conditions"
)

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
		if c := s.fs.Spec.Consumer; c != nil {
			t.Through = "membership of the group " + c.Group
		}
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
		st.Rollout = &v1alpha1.RolloutStatus{Weight: r.Weight, Shadow: r.Shadow, Granted: r.Granted, Next: r.Next, Since: r.Since}
	}
	if st.Bake != nil {
		st.Bake.Suspicion = ""
	}
	if st.Phase == "Shadow" || st.Phase == "Canary" || st.Phase == "Paused" || st.Phase == "Baking" {
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
	if r == nil || !plan.Watching(s.observation) {
		return
	}
	r.Next = plan.NextPercent(s.observation)
	r.CountedBy, r.MeasuredPercent, r.SmallestEffect, r.TimeLeft = j.CountedBy, j.MeasuredPercent, j.SmallestEffect, ""
	if s.observation.State.ReadsAlong() {
		r.MeasuredPercent = "" // it has no share
	}
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
