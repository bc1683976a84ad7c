package plan

import (
	"fmt"
	"time"

	"movieexample.com/fleet/api/v1alpha1"
)

// settle is how long all pods of a revision must have been ready before it is trusted with traffic: a process that
// starts, reports ready and dies at once must not be seen as good.
const settle = 5 * time.Second

// Next decides what to do. The same observation always gives the same plan.
func Next(o Observation) Plan {
	if d := decide(o); d != nil {
		return Plan{Decision: d, Outlook: outlook(o)}
	}
	return Plan{Actions: actions(o), Outlook: outlook(o), Recheck: recheck(o)}
}

// decide returns the change of state that the observation calls for, or nil.
func decide(o Observation) *Decision {
	s := o.State
	switch {
	case s.Stable.Hash != "" && s.Traffic.Hash != s.Stable.Hash && o.Traffic.Hash == s.Stable.Hash:
		return verified(o)
	case s.Previous.Hash != "":
		if d := whileDraining(o); d != nil {
			return d
		}
	}
	if s.Stable.Hash != "" && o.Desired.Hash == s.Stable.Hash {
		return atRest(o)
	}
	switch {
	case o.Desired.Hash == "": // a spec that is refused decides nothing
		return nil
	case s.Canary.Hash != o.Desired.Hash:
		return begin(o)
	}
	return judge(o)
}

// verified notes that every provider now sends callers to stable: from here on the old revision drains.
func verified(o Observation) *Decision {
	s := o.State
	s.Traffic = Position{Hash: s.Stable.Hash, Since: o.Now}
	return &Decision{State: s, Verb: Verified, Reason: "all callers are sent to " + s.Stable.Hash}
}

// whileDraining ends the drain, or returns to the old revision while it is still warm when the new one proves dead.
func whileDraining(o Observation) *Decision {
	s := o.State
	stable, previous := o.Revisions[s.Stable.Hash], o.Revisions[s.Previous.Hash]
	if fact, bad := fatal(stable, previous); bad && previous.Ready > 0 && stable.Ready < o.Replicas {
		s.Rejected = Rejection{Hash: s.Stable.Hash, Image: s.Stable.Image, Reason: fact.Reason, Message: fact.Message, At: o.Now}
		s.Stable, s.Previous, s.Canary = s.Previous, Part{}, Part{}
		s.Stable.Since = o.Now
		return &Decision{State: s, Verb: Return, Reason: fact.Message + "; the old revision still runs and takes the traffic again"}
	}
	if s.Traffic.Hash == s.Stable.Hash && o.Now.Sub(s.Traffic.Since) >= o.Drain {
		s.Previous = Part{}
		return &Decision{State: s, Verb: Drained, Reason: fmt.Sprintf("no caller was sent to %s for %s", o.State.Previous.Hash, o.Drain)}
	}
	return nil
}

// atRest tidies up when the spec asks for what is stable already.
func atRest(o Observation) *Decision {
	s := o.State
	switch {
	case s.Canary.Hash != "":
		s.Canary = Part{}
		return &Decision{State: s, Verb: Abandon, Reason: "the spec asks for the stable revision again"}
	case s.Rejected.Hash != "":
		s.Rejected = Rejection{}
		return &Decision{State: s, Verb: Retry, Reason: "the spec returned to the stable revision, so the one taken back may be tried anew"}
	}
	return nil
}

// begin puts the desired revision on trial, unless it was taken back or cannot be started.
func begin(o Observation) *Decision {
	s := o.State
	if o.Blocked != "" {
		return nil
	}
	if o.Desired.Hash == s.Rejected.Hash {
		return dropCanary(s, "the spec asks for a revision that was taken back")
	}
	verb, reason := Begin, "the spec asks for image "+o.Desired.Image
	if s.Canary.Hash != "" {
		verb, reason = Replace, fmt.Sprintf("the spec changed while %s was on trial", s.Canary.Hash)
	}
	if s.Previous.Hash == o.Desired.Hash {
		s.Previous = Part{}
	}
	s.Canary = o.Desired
	s.Canary.Since = o.Now
	return &Decision{State: s, Verb: verb, Reason: reason}
}

func dropCanary(s State, reason string) *Decision {
	if s.Canary.Hash == "" {
		return nil
	}
	s.Canary = Part{}
	return &Decision{State: s, Verb: Abandon, Reason: reason}
}

// judge promotes the revision on trial, takes it back, or keeps looking.
func judge(o Observation) *Decision {
	s := o.State
	canary, stable := o.Revisions[s.Canary.Hash], o.Revisions[s.Stable.Hash]
	if o.Migration.Phase == MigrationFailed && s.Stable.Hash != "" {
		return takeBack(o, v1alpha1.ReasonMigrationFailed, o.Migration.Message)
	}
	if !migrated(o) {
		return nil
	}
	if fact, bad := condemning(o, canary, stable); bad && s.Stable.Hash != "" {
		return takeBack(o, fact.Reason, fact.Message)
	}
	if settled(o, canary) && s.Previous.Hash == "" {
		return promote(o, canary)
	}
	return nil
}

func takeBack(o Observation, reason, message string) *Decision {
	s := o.State
	s.Rejected = Rejection{Hash: s.Canary.Hash, Image: s.Canary.Image, Reason: reason, Message: message, At: o.Now}
	s.Canary = Part{}
	return &Decision{State: s, Verb: TakeBack, Reason: message}
}

func promote(o Observation, canary Revision) *Decision {
	s := o.State
	s.Previous = s.Stable
	s.Previous.Since = o.Now
	if s.Stable.Hash == "" {
		s.Previous = Part{}
	}
	s.Stable, s.Canary, s.Rejected = s.Canary, Part{}, Rejection{}
	s.Stable.Since = o.Now
	return &Decision{State: s, Verb: Promote, Reason: fmt.Sprintf("%d of %d pods ready for %s", canary.Ready, o.Replicas, settle)}
}

// settled is true when every pod is ready, stayed so for a while, and nothing speaks against them.
func settled(o Observation, r Revision) bool {
	if o.Replicas == 0 {
		return true
	}
	return r.Ready >= o.Replicas && len(releaseFacts(r)) == 0 && o.Now.Sub(r.ReadySince) >= settle
}

// actions are what must be so in the present state, in order.
func actions(o Observation) []Action {
	s := o.State
	list := []Action{{Kind: Share, Hash: s.Stable.Hash, Canary: s.Canary.Hash}}
	for _, p := range []Part{s.Stable, s.Previous} {
		if p.Hash != "" {
			list = append(list, Action{Kind: Run, Hash: p.Hash})
		}
	}
	if s.Stable.Hash != "" && routable(o) {
		list = append(list, Action{Kind: Route, Hash: s.Stable.Hash, Canary: s.Canary.Hash})
	}
	if s.Canary.Hash != "" {
		list = append(list, Action{Kind: Record, Hash: s.Canary.Hash})
		if o.Migration.Phase == MigrationMissing {
			list = append(list, Action{Kind: Migrate, Hash: s.Canary.Hash})
		}
		if migrated(o) {
			list = append(list, Action{Kind: Run, Hash: s.Canary.Hash})
		}
	}
	return append(list, Action{Kind: Sweep})
}

// routable holds traffic where it is while stable has no ready pod and another revision does: a revision without
// endpoints is given no traffic. With no other revision there is nowhere else to go.
func routable(o Observation) bool {
	if o.Replicas == 0 || o.Revisions[o.State.Stable.Hash].Ready > 0 {
		return true
	}
	return o.State.Previous.Hash == "" && o.State.Traffic.Hash == o.State.Stable.Hash
}

func migrated(o Observation) bool {
	return o.Migration.Phase == MigrationNotNeeded || o.Migration.Phase == MigrationDone
}

// recheck looks again when a time that matters is reached, since no event comes then.
func recheck(o Observation) time.Duration {
	s := o.State
	next := time.Duration(0)
	at := func(t time.Time) {
		if d := t.Sub(o.Now); d > 0 && (next == 0 || d < next) {
			next = d
		}
	}
	if s.Canary.Hash != "" {
		at(deadline(o))
		for _, f := range releaseFacts(o.Revisions[s.Canary.Hash]) {
			at(f.Since.Add(o.StartDeadline))
		}
		if r := o.Revisions[s.Canary.Hash]; r.Ready >= o.Replicas {
			at(r.ReadySince.Add(settle))
		}
	}
	if s.Previous.Hash != "" && s.Traffic.Hash == s.Stable.Hash {
		at(s.Traffic.Since.Add(o.Drain))
	}
	if s.Stable.Hash != "" && o.Traffic.Hash != s.Stable.Hash {
		at(o.Now.Add(2 * time.Second))
	}
	return next
}
