package plan

import (
	"fmt"
	"slices"
	"time"

	"movieexample.com/fleet/api/v1alpha1"
)

// outlook says in words what is so and what happens next.
func outlook(o Observation) Outlook {
	v := state(o)
	serving := o.Revisions[o.State.Stable.Hash]
	v.Available = o.State.Stable.Hash != "" && (serving.Ready > 0 || !down(o, o.State.Stable.Hash))
	v.Progressing = o.State.Canary.Hash != "" || (o.State.Previous.Hash != "" && !v.Baking)
	return v
}

func state(o Observation) Outlook {
	s := o.State
	switch {
	case s.Stable.Hash == "" && s.Canary.Hash == "":
		return pending(o)
	case s.Stable.Hash == "":
		return starting(o)
	case s.Canary.Hash != "":
		return updating(o)
	case s.Previous.Hash != "":
		return bakingOutlook(o)
	case o.Desired.Hash != s.Stable.Hash:
		return pending(o)
	}
	return serving(o)
}

func pending(o Observation) Outlook {
	r, no := rejected(o, o.Desired.Hash)
	switch {
	case o.Desired.Hash == "":
		return Outlook{Phase: "Stalled", Reason: v1alpha1.ReasonInvalidSpec, Stalled: true, Message: "the spec is refused"}
	case no && (o.State.Stable.Hash != "" || o.Remembered.Hash == ""):
		return takenBack(o, r)
	case o.LedgerDamaged != "":
		return Outlook{Phase: "Stalled", Reason: v1alpha1.ReasonLedgerDamaged, Stalled: true,
			Message: fmt.Sprintf("revision %s (%s) waits, since it is not known which revisions are quarantined: %s", o.Desired.Hash, o.Desired.Image, o.LedgerDamaged)}
	case o.Policy.Paused:
		return Outlook{Phase: "Paused", Reason: v1alpha1.ReasonPaused, Message: fmt.Sprintf("revision %s (%s) waits: rollout.paused is set", o.Desired.Hash, o.Desired.Image)}
	case o.Blocked != "":
		return Outlook{Phase: "Pending", Reason: v1alpha1.ReasonBindingsMissing, Message: o.Blocked}
	case rewinding(o):
		return Outlook{Phase: "Pending", Reason: v1alpha1.ReasonRewinding,
			Message: fmt.Sprintf("revision %s starts when the partitions of %s, which was taken back, are where it began with them: %s",
				o.Desired.Hash, o.State.Rewind.Hash, whenRewound(o))}
	case len(o.State.Leaving) > 0 && o.State.Stable.Hash != "":
		return Outlook{Phase: "Pending", Reason: v1alpha1.ReasonDraining, Message: fmt.Sprintf("revision %s starts when %s has finished its requests", o.Desired.Hash, o.State.Leaving[0].Hash)}
	}
	return Outlook{Phase: "Pending", Reason: v1alpha1.ReasonStarting, Message: "revision " + o.Desired.Hash + " is about to start"}
}

// starting speaks of the first revision: there is nothing to return to, so its failure needs a person.
func starting(o Observation) Outlook {
	canary := o.Revisions[o.State.Canary.Hash]
	if v, waiting := migrating(o); waiting {
		v.Phase = "Starting"
		return v
	}
	if f, bad := condemning(o, canary, Revision{}); bad {
		return Outlook{Phase: "Stalled", Reason: v1alpha1.ReasonStartFailed, Stalled: true,
			Message: fmt.Sprintf("the first revision cannot start: %s. Mend the spec; a change is tried at once", f.Message)}
	}
	return Outlook{Phase: "Starting", Reason: v1alpha1.ReasonStarting, Message: progress(o, canary)}
}

// patience is how long pods usually take to be placed and prepared: before that nothing is called held.
const patience = 15 * time.Second

func updating(o Observation) Outlook {
	canary := o.Revisions[o.State.Canary.Hash]
	if v, waiting := migrating(o); waiting {
		v.Phase = "Migrating"
		return v
	}
	phase := phaseOf(o.State)
	if f, found := environmentFact(canary); found && o.Now.Sub(o.State.Canary.Since) > patience {
		return Outlook{Phase: phase, Reason: v1alpha1.ReasonHeld, Message: fmt.Sprintf("held, nobody is blamed: %s. %s", f.Message, meanwhile(o))}
	}
	if facts := releaseFacts(canary); len(facts) > 0 && overdue(o) {
		return Outlook{Phase: phase, Reason: v1alpha1.ReasonHeld,
			Message: fmt.Sprintf("held: %s, and so does the stable revision; something that both need is away", facts[0].Message)}
	}
	if compared(o) {
		return onTrial(o, canary)
	}
	v := Outlook{Phase: phase, Reason: v1alpha1.ReasonCandidateStarting, Message: progress(o, canary)}
	switch {
	case o.State.Percent == 0 && o.State.Shadow.Stage == ShadowPassed && shadowLeft(o):
		v.Message = fmt.Sprintf("revision %s (%s) has read along; that pod goes before it joins the group. %s", o.State.Canary.Hash, o.State.Canary.Image, meanwhile(o))
	case o.Policy.Paused:
		v.Phase, v.Reason, v.Message = "Paused", v1alpha1.ReasonPaused, v.Message+"; no requests are given to it: rollout.paused is set"
	case o.LedgerDamaged != "" && !deadStable(o):
		v.Phase, v.Reason, v.Stalled = "Stalled", v1alpha1.ReasonLedgerDamaged, true
		v.Message += "; no requests are given to it: " + o.LedgerDamaged
	}
	return v
}

// phaseOf is a rollout's state in a word, while nothing stands in its way.
func phaseOf(s State) string {
	switch {
	case s.asShadow():
		return "Shadow"
	case s.Percent > 0:
		return "Canary"
	}
	return "Updating"
}

// onTrial speaks of a canary that has a share of the requests, or reads along.
func onTrial(o Observation, canary Revision) Outlook {
	s := o.State
	has, reason := fmt.Sprintf("revision %s (%s) has %d %% of the %s since %s", s.Canary.Hash, s.Canary.Image, s.Percent, o.Policy.work(), clock(s.Traffic.Since)), v1alpha1.ReasonCanary
	if s.asShadow() {
		has, reason = fmt.Sprintf("revision %s (%s) reads all partitions along since %s and stores nothing", s.Canary.Hash, s.Canary.Image, clock(s.Shadow.Since)), v1alpha1.ReasonShadow
	}
	if !standing(o) {
		return switching(o, o.Policy.moving(Wanted(o)))
	}
	v := Outlook{Phase: phaseOf(s), Reason: reason, Message: fmt.Sprintf("%s; %s", has, o.Evidence.Message)}
	switch e := o.Evidence; {
	case o.Policy.Paused:
		v.Phase, v.Reason = "Paused", v1alpha1.ReasonPaused
		v.Message += "; it stays there: rollout.paused is set"
	case o.LedgerDamaged != "":
		v.Phase, v.Reason, v.Stalled = "Stalled", v1alpha1.ReasonLedgerDamaged, true
		v.Message += "; it stays there, and is still taken back if it is proven worse: " + o.LedgerDamaged
	case canary.Ready < canaryPods(o):
		v.Message += fmt.Sprintf("; %d of %d pods for its next share ready", canary.Ready, canaryPods(o))
	case e.holds():
		v.Reason = e.Reason
	case e.Waiting != "":
		v.Reason, v.Message = v1alpha1.ReasonHeld, fmt.Sprintf("%s; held: %s", has, e.Waiting)
	case undecided(o):
		v.Phase, v.Reason = "Paused", v1alpha1.ReasonInconclusive
		v.Message = fmt.Sprintf("%s; no verdict within %s: %s. It is still taken back if it is proven worse; to go on: kubectl annotate fleetservice NAME %s=skip@%s@TOKEN",
			has, o.Policy.MaxStep, e.Message, v1alpha1.AnnotationCommand, s.Canary.Hash)
	}
	return v
}

func switching(o Observation, what string) Outlook {
	if o.Traffic.Unreachable != "" {
		return Outlook{Phase: "Updating", Reason: v1alpha1.ReasonDiscoveryUnavailable, Message: what + " when " + o.Traffic.Unreachable}
	}
	return Outlook{Phase: "Updating", Reason: v1alpha1.ReasonStepping, Message: what}
}

func migrating(o Observation) (Outlook, bool) {
	switch o.Migration.Phase {
	case MigrationMissing, MigrationRunning:
		return Outlook{Reason: v1alpha1.ReasonMigrating, Message: "the database is brought up to date before the first pod of " + o.State.Canary.Hash + ": " + o.Migration.Message}, true
	case MigrationFailed:
		return Outlook{Reason: v1alpha1.ReasonMigrationFailed, Stalled: true, Message: o.Migration.Message}, true
	}
	return Outlook{}, false
}

// progress tells how far a revision is and until when it has time.
func progress(o Observation, r Revision) string {
	text := fmt.Sprintf("revision %s (%s): %d of %d pods ready", o.State.Canary.Hash, o.State.Canary.Image, r.Ready, canaryPods(o))
	if facts := releaseFacts(r); len(facts) > 0 {
		text += "; " + facts[0].Message
	}
	if o.State.Stable.Hash == "" || r.Created.IsZero() {
		return text
	}
	return fmt.Sprintf("%s; taken back if not ready by %s. %s", text, clock(deadline(o)), meanwhile(o))
}

// meanwhile says what the stable revision does while another one is on trial.
func meanwhile(o Observation) string {
	if down(o, o.State.Stable.Hash) {
		return "The stable revision " + o.State.Stable.Hash + " has no ready pod"
	}
	return o.State.Stable.Hash + " keeps serving"
}

func clock(t time.Time) string { return t.UTC().Format(time.TimeOnly) + " UTC" }

// bakingOutlook speaks of a revision that has all requests, while the one before stays warm.
func bakingOutlook(o Observation) Outlook {
	s := o.State
	if s.Asking.IsZero() && s.Traffic.Split != Wanted(o) {
		return switching(o, fmt.Sprintf("%s move from %s to %s", o.Policy.work(), s.Previous.Hash, s.Stable.Hash))
	}
	v := serving(o)
	if v.Ready && o.Desired.Hash != "" && o.Desired.Hash != s.Stable.Hash { // the next one waits
		v = pending(o)
	}
	v.Baking = true
	if !v.Ready {
		return v
	}
	if !s.Asking.IsZero() {
		v.Phase, v.Reason = "Baking", v1alpha1.ReasonAsking
		v.Message = fmt.Sprintf("%s is compared with %s, which has half of the %s since %s: %s", s.Stable.Hash, s.Previous.Hash, o.Policy.work(), clock(s.Asking), o.Evidence.Message)
		return v
	}
	v.Phase, v.Reason = "Baking", v1alpha1.ReasonBaking
	how := "stays warm"
	if o.Policy.consumes() {
		how = "has no pods and comes back if need be,"
	}
	v.Message = fmt.Sprintf("%s; %s %s until %s", v.Message, s.Previous.Hash, how, clock(bakeUntil(o)))
	return v
}

func takenBack(o Observation, r Rejection) Outlook {
	serves := "No revision serves"
	if o.State.Stable.Hash != "" {
		serves = o.State.Stable.Hash + " serves"
	}
	if o.Traffic.Unreachable != "" && slices.ContainsFunc(o.State.Leaving, func(p Part) bool { return p.Hash == r.Hash && p.Quiet.IsZero() }) {
		serves += fmt.Sprintf("; %s may still have requests by a way that cannot be changed until %s", r.Hash, o.Traffic.Unreachable)
	}
	serves += toldRewind(o, r.Hash)
	again := "Change the spec to try another revision"
	if r.Quarantined {
		again += fmt.Sprintf(", or try this one again by kubectl annotate fleetservice NAME %s=retry@%s@TOKEN", v1alpha1.AnnotationCommand, r.Hash)
	}
	return Outlook{Phase: "TakenBack", Reason: v1alpha1.ReasonTakenBack, Stalled: true,
		Message: fmt.Sprintf("revision %s (%s) was taken back: %s (%s). %s. %s", r.Hash, r.Image, r.Message, r.Reason, serves, again)}
}

// serving speaks of the stable revision when nothing is on its way.
func serving(o Observation) Outlook {
	stable := o.Revisions[o.State.Stable.Hash]
	wanted := o.Replicas
	if o.Policy.consumes() {
		wanted = keptPods(o, o.State.Stable.Hash)
	}
	pods := fmt.Sprintf("%d of %d pods of %s (%s) ready", stable.Ready, wanted, o.State.Stable.Hash, o.State.Stable.Image)
	if len(stable.Facts) > 0 {
		pods += "; " + stable.Facts[0].Message
	}
	enough := stable.Ready >= wanted && stable.Pods >= wanted
	if o.State.Previous.Hash == "" {
		enough = stable.Ready == wanted && stable.Pods == wanted
	}
	switch {
	case o.State.Traffic.Main != o.State.Stable.Hash && o.Traffic.Unreachable != "":
		return Outlook{Phase: "Starting", Reason: v1alpha1.ReasonDiscoveryUnavailable, Message: o.Traffic.Unreachable}
	case o.State.Traffic.Main != o.State.Stable.Hash:
		return Outlook{Phase: "Starting", Reason: v1alpha1.ReasonSwitching, Message: sentTo(o)}
	case o.State.Traffic.Other != "" && o.State.Asking.IsZero():
		return switching(o, o.Policy.moving(Wanted(o)))
	case o.Replicas > 0 && stable.Ready == 0:
		return Outlook{Phase: "Unavailable", Reason: v1alpha1.ReasonUnavailable, Message: pods}
	case !enough:
		return Outlook{Phase: "Scaling", Reason: v1alpha1.ReasonScaling, Message: pods}
	}
	for _, p := range o.State.Leaving {
		pods += fmt.Sprintf("; %s finishes its requests", p.Hash)
	}
	return Outlook{Phase: "Serving", Reason: v1alpha1.ReasonServing, Ready: true, Message: pods}
}
