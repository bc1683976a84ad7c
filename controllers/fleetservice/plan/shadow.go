package plan

import (
	"fmt"
	"time"
)

// A consumer's canary may read along before its first share: one pod that reads all partitions and stores nothing, so that
// it can do no harm. It sees the same events as stable at the same time, and is compared with it as in a step; what is asked
// is whether the first share may be given. How the canary stores events nobody has seen by then, so its evidence ends with
// the shadow, and the first share begins anew.

// Shadow is how far a canary is with reading along.
type Shadow struct {
	Stage ShadowStage
	// Since is when it was seen to read along; zero before that.
	Since time.Time
}

// ShadowStage names how far a canary is with reading along.
type ShadowStage string

// The stages of a shadow.
const (
	// ShadowNone: it does not read along.
	ShadowNone ShadowStage = ""
	// ShadowOn: its pod is a shadow.
	ShadowOn ShadowStage = "On"
	// ShadowPassed: it has read along. The shadow goes before the first share is given.
	ShadowPassed ShadowStage = "Passed"
)

// ReadsAlong is true from when the canary was seen to read along until it has passed.
func (s State) ReadsAlong() bool { return s.asShadow() && !s.Shadow.Since.IsZero() }

// asShadow is true while the canary's pod is to be a shadow.
func (s State) asShadow() bool { return s.Canary.Hash != "" && s.Shadow.Stage == ShadowOn }

// Alone is true where nothing is there to compare the canary with, since it has a consumer's only partition.
func Alone(o Observation) bool { return o.Policy.alone() && !o.State.asShadow() }

// shadowFor is how a new canary begins.
func shadowFor(o Observation) Shadow {
	if _, without := unshadowed(o); without {
		return Shadow{}
	}
	return Shadow{Stage: ShadowOn}
}

// unshadowed says why a canary does not read along, or need not any more.
func unshadowed(o Observation) (why string, without bool) {
	stable := o.Revisions[o.State.Stable.Hash]
	switch {
	case !o.Policy.consumes() || !o.Policy.Shadow:
		return "the spec asks for no shadow", true
	case o.Replicas == 0:
		return "no pods are asked for", true
	case o.State.Stable.Hash == "" || (stable.Ready == 0 && showsRelease(stable)):
		return "no other revision reads, so there is nothing to compare it with", true
	}
	return "", false
}

// shadows is true when the revision reads along with all its pods.
func shadows(r Revision) bool { return r.Ready > 0 && r.Shadows >= r.Pods }

// shadowLeft is true while a pod that read along has not gone: it would be counted as one that has a share.
func shadowLeft(o Observation) bool {
	s, canary := o.State, o.Revisions[o.State.Canary.Hash]
	passed := s.Shadow.Stage == ShadowPassed && s.Percent == 0
	return canary.Shadows > 0 || (passed && (canary.Wanted > 0 || canary.Pods > 0))
}

// readAlong notes that the shadow reads, and ends it when something permits the first share.
func readAlong(o Observation) *Decision {
	s, canary := o.State, o.Revisions[o.State.Canary.Hash]
	if reason, permitted := permitShadow(o); permitted {
		s.Shadow = Shadow{Stage: ShadowPassed}
		s.Canary.Trial = o.Now // its pods are others, and so is what they prove
		return &Decision{State: s, Verb: Passed, Reason: reason}
	}
	if !s.Shadow.Since.IsZero() || !migrated(o) || !ready(o, canary) || !shadows(canary) {
		return nil
	}
	s.Shadow.Since = o.Now
	return &Decision{State: s, Verb: Along, Reason: fmt.Sprintf("it reads all partitions beside %s and stores nothing", s.Stable.Hash)}
}

// permitShadow says whether, and why, the canary may go on to its first share.
func permitShadow(o Observation) (string, bool) {
	if why, without := unshadowed(o); without {
		return why, true
	}
	switch s := o.State; {
	case s.Granted > 0:
		return "by command", true
	case o.Policy.Paused || o.LedgerDamaged != "" || !s.ReadsAlong() || !standing(o):
		return "", false
	case early(o) || o.Evidence.Waiting != "":
		return "", false
	case o.Evidence.Verdict == Harmless:
		return o.Evidence.Message, true
	case undecided(o):
		return byPolicy(o)
	}
	return "", false
}

// compared is true while evidence is about what the canary does now: it has its share, or reads along.
func compared(o Observation) bool {
	return (o.State.Percent > 0 && !joining(o)) || (o.State.ReadsAlong() && standing(o))
}

// stepSince is when the present step began.
func stepSince(o Observation) time.Time {
	if o.State.asShadow() {
		return o.State.Shadow.Since
	}
	return o.State.Traffic.Since
}

// unharmed adds to why a shadow is taken back that nothing was touched.
func unharmed(o Observation, message string) string {
	if o.State.asShadow() {
		return message + "; it only read along, so no event is affected"
	}
	return message
}
