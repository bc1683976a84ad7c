package fleetservice

import (
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/fleetservice/plan"
)

// stateOf reads the planner's state from status.
func stateOf(st *v1alpha1.FleetServiceStatus) plan.State {
	state := plan.State{Stable: part(st.Stable), Canary: part(st.Canary), Previous: part(st.Previous)}
	for i := range st.Leaving {
		state.Leaving = append(state.Leaving, part(&st.Leaving[i]))
	}
	if r := st.Rollout; r != nil {
		state.Percent, state.Granted, state.Shadow = r.Weight, r.Granted, shadowOf(r.Shadow)
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
	if r := st.Rewind; r != nil {
		state.Rewind = plan.Rewind{Hash: r.Revision, Since: r.Since.Time, Phase: plan.RewindPhase(r.Phase), Message: r.Message, At: r.At.Time}
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
	setRewind(st, state.Rewind)
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
	if st.Rollout != nil && (state.Percent > 0 || state.ReadsAlong()) {
		r = *st.Rollout
	}
	if state.Traffic.Percent == state.Percent {
		r.Since = seconds(state.Traffic.Since)
	}
	r.Weight, r.Granted, r.Shadow = state.Percent, state.Granted, shadowStatus(state.Shadow)
	st.Rollout = &r
}

func shadowOf(s *v1alpha1.ShadowStatus) plan.Shadow {
	if s == nil {
		return plan.Shadow{}
	}
	shadow := plan.Shadow{Stage: plan.ShadowStage(s.Stage)}
	if s.Since != nil {
		shadow.Since = s.Since.Time
	}
	return shadow
}

func shadowStatus(s plan.Shadow) *v1alpha1.ShadowStatus {
	if s.Stage == plan.ShadowNone {
		return nil
	}
	status := &v1alpha1.ShadowStatus{Stage: v1alpha1.ShadowStage(s.Stage)}
	if !s.Since.IsZero() {
		status.Since = ptr.To(seconds(s.Since))
	}
	return status
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

func setRewind(st *v1alpha1.FleetServiceStatus, r plan.Rewind) {
	st.Rewind = nil
	if r.Hash != "" {
		st.Rewind = &v1alpha1.RewindStatus{
			Revision: r.Hash, Since: seconds(r.Since), Phase: v1alpha1.RewindPhase(r.Phase), Message: r.Message, At: seconds(r.At),
		}
	}
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
