package plan

import (
	"fmt"
	"time"

	"movieexample.com/fleet/api/v1alpha1"
)

// outlook says in words what is so and what happens next.
func outlook(o Observation) Outlook {
	v := state(o)
	serving := o.Revisions[o.State.Stable.Hash]
	v.Available = o.State.Stable.Hash != "" && (serving.Ready > 0 || o.Replicas == 0)
	v.Progressing = o.State.Canary.Hash != "" || o.State.Previous.Hash != ""
	return v
}

func state(o Observation) Outlook {
	s := o.State
	switch {
	case s.Stable.Hash == "" && s.Canary.Hash == "":
		return pending(o)
	case s.Stable.Hash == "":
		return starting(o)
	case s.Previous.Hash != "":
		return draining(o)
	case s.Canary.Hash != "":
		return updating(o)
	case o.Desired.Hash == s.Rejected.Hash && o.Desired.Hash != s.Stable.Hash:
		return takenBack(o)
	case o.Desired.Hash != s.Stable.Hash:
		return pending(o)
	}
	return serving(o)
}

func pending(o Observation) Outlook {
	if o.Blocked != "" {
		return Outlook{Phase: "Pending", Reason: v1alpha1.ReasonBindingsMissing, Message: o.Blocked}
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
	v := Outlook{Phase: "Updating", Reason: v1alpha1.ReasonCandidateStarting, Message: progress(o, canary)}
	if f, found := environmentFact(canary); found && o.Now.Sub(o.State.Canary.Since) > patience {
		v.Reason = v1alpha1.ReasonHeld
		v.Message = fmt.Sprintf("held, nobody is blamed: %s. %s", f.Message, meanwhile(o))
	} else if len(releaseFacts(canary)) > 0 && overdue(o) {
		v.Reason = v1alpha1.ReasonHeld
		v.Message = fmt.Sprintf("held: %s, and so does the stable revision; something that both need is away", releaseFacts(canary)[0].Message)
	}
	return v
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
	text := fmt.Sprintf("revision %s (%s): %d of %d pods ready", o.State.Canary.Hash, o.State.Canary.Image, r.Ready, o.Replicas)
	if facts := releaseFacts(r); len(facts) > 0 {
		text += "; " + facts[0].Message
	}
	if o.State.Stable.Hash == "" || o.Revisions[o.State.Canary.Hash].Created.IsZero() {
		return text
	}
	return fmt.Sprintf("%s; taken back if not ready by %s. %s", text, clock(deadline(o)), meanwhile(o))
}

// meanwhile says what the stable revision does while another one is on trial.
func meanwhile(o Observation) string {
	if o.Replicas > 0 && o.Revisions[o.State.Stable.Hash].Ready == 0 {
		return "The stable revision " + o.State.Stable.Hash + " has no ready pod"
	}
	return o.State.Stable.Hash + " keeps serving"
}

func clock(t time.Time) string { return t.UTC().Format(time.TimeOnly) + " UTC" }

func draining(o Observation) Outlook {
	s := o.State
	if o.Traffic.Unreachable != "" {
		return Outlook{Phase: "Updating", Reason: v1alpha1.ReasonDiscoveryUnavailable,
			Message: fmt.Sprintf("traffic stays at %s until %s", s.Previous.Hash, o.Traffic.Unreachable)}
	}
	if s.Traffic.Hash != s.Stable.Hash {
		return Outlook{Phase: "Updating", Reason: v1alpha1.ReasonSwitching, Message: fmt.Sprintf("traffic moves from %s to %s", s.Previous.Hash, s.Stable.Hash)}
	}
	return Outlook{Phase: "Draining", Reason: v1alpha1.ReasonDraining,
		Message: fmt.Sprintf("%s serves; %s finishes its requests until %s", s.Stable.Hash, s.Previous.Hash, clock(s.Traffic.Since.Add(o.Drain)))}
}

func takenBack(o Observation) Outlook {
	r := o.State.Rejected
	return Outlook{Phase: "TakenBack", Reason: v1alpha1.ReasonTakenBack, Stalled: true,
		Message: fmt.Sprintf("revision %s (%s) was taken back: %s (%s). %s serves. Change the spec to try another revision",
			r.Hash, r.Image, r.Message, r.Reason, o.State.Stable.Hash)}
}

// serving speaks of the stable revision when nothing is on its way.
func serving(o Observation) Outlook {
	stable := o.Revisions[o.State.Stable.Hash]
	pods := fmt.Sprintf("%d of %d pods of %s (%s) ready", stable.Ready, o.Replicas, o.State.Stable.Hash, o.State.Stable.Image)
	if len(stable.Facts) > 0 {
		pods += "; " + stable.Facts[0].Message
	}
	switch {
	case o.State.Traffic.Hash != o.State.Stable.Hash && o.Traffic.Unreachable != "":
		return Outlook{Phase: "Starting", Reason: v1alpha1.ReasonDiscoveryUnavailable, Message: o.Traffic.Unreachable}
	case o.State.Traffic.Hash != o.State.Stable.Hash:
		return Outlook{Phase: "Starting", Reason: v1alpha1.ReasonSwitching, Message: "traffic is sent to " + o.State.Stable.Hash}
	case o.Replicas > 0 && stable.Ready == 0:
		return Outlook{Phase: "Unavailable", Reason: v1alpha1.ReasonUnavailable, Message: pods}
	case stable.Ready != o.Replicas || stable.Pods != o.Replicas:
		return Outlook{Phase: "Scaling", Reason: v1alpha1.ReasonScaling, Message: pods}
	}
	return Outlook{Phase: "Serving", Reason: v1alpha1.ReasonServing, Ready: true, Message: pods}
}
