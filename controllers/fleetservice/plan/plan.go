package plan

import (
	"fmt"
	"slices"
	"time"
)

// settle is how long all pods of a revision must have been ready before it is trusted with all requests unseen: a
// process that starts, reports ready and dies at once must not be seen as good.
const settle = 5 * time.Second

// maxLeaving bounds the revisions that drain at once; a new canary waits until one has gone.
const maxLeaving = 4

// Next decides what to do. The same observation always gives the same plan.
func Next(o Observation) Plan {
	if d := decide(o); d != nil {
		return Plan{Decision: d, Outlook: outlook(o)}
	}
	return Plan{Actions: actions(o), Outlook: outlook(o), Recheck: recheck(o)}
}

// decide returns the change of state that the observation calls for, or nil.
func decide(o Observation) *Decision {
	for _, consider := range []func(Observation) *Decision{verified, command, baking, drained, rewound, rollout} {
		if d := consider(o); d != nil {
			return d
		}
	}
	return nil
}

// verified notes that every provider now sends requests where they are wanted: from here on a step lasts, and those
// that leave are quiet.
func verified(o Observation) *Decision {
	s, wanted := o.State, Wanted(o)
	if wanted.Main == "" || !o.Traffic.Follows || !inPlace(o) {
		return nil
	}
	noisy := func(p Part) bool { return p.Quiet.IsZero() }
	if s.Traffic.Split == wanted && !slices.ContainsFunc(s.Leaving, noisy) {
		return nil
	}
	if s.Traffic.Split != wanted {
		s.Traffic = Position{Split: wanted, Since: o.Now}
	}
	s.Leaving = slices.Clone(s.Leaving)
	for i, p := range s.Leaving {
		if noisy(p) {
			s.Leaving[i].Quiet = o.Now
		}
	}
	return &Decision{State: s, Verb: Verified, Reason: o.Policy.told(wanted)}
}

// inPlace is true when the pods that make a share are there, where shares are made by pods.
func inPlace(o Observation) bool {
	if o.Policy.consumes() {
		return shared(o)
	}
	return !o.Policy.Coarse || o.State.Percent == 0 || o.Revisions[o.State.Canary.Hash].Ready >= canaryPods(o)
}

// String says where requests go.
func (s Split) String() string {
	switch {
	case s.Main == "":
		return "nowhere"
	case s.Other == "":
		return "to " + s.Main
	}
	return fmt.Sprintf("to %s, %d %% of them to %s", s.Main, s.Percent, s.Other)
}

// drained ends revisions whose last requests have had their time.
func drained(o Observation) *Decision {
	s := o.State
	for i, p := range s.Leaving {
		if !p.Quiet.IsZero() && o.Now.Sub(p.Quiet) >= o.Policy.Drain {
			s.Leaving = slices.Delete(slices.Clone(s.Leaving), i, i+1)
			return &Decision{State: s, Verb: Drained, Reason: fmt.Sprintf("no request was meant for %s for %s", p.Hash, o.Policy.Drain)}
		}
	}
	return nil
}

// leave lets a revision finish its requests. One that was never given any goes at once, and so does a consumer's: as long
// as its pods run, they read.
func leave(o Observation, s State, p Part) State {
	if p.Hash == "" || !served(s, p.Hash) || o.Policy.consumes() {
		return s
	}
	p.Since, p.Quiet = o.Now, time.Time{}
	s.Leaving = append(slices.Clone(s.Leaving), p)
	return s
}

// served is true when requests were, or may be, sent to a revision.
func served(s State, hash string) bool {
	return s.Traffic.Main == hash || s.Traffic.Other == hash || hash == s.Stable.Hash || hash == s.Previous.Hash ||
		(hash == s.Canary.Hash && s.Percent > 0)
}

// arrive takes a revision back from those that leave.
func arrive(s State, hash string) State {
	s.Leaving = slices.DeleteFunc(slices.Clone(s.Leaving), func(p Part) bool { return p.Hash == hash })
	return s
}

// actions are what must be so in the present state, in order.
func actions(o Observation) []Action {
	s := o.State
	list := []Action{{Kind: Share}, {Kind: Remember}}
	for _, p := range []Part{s.Stable, s.Previous} {
		if p.Hash != "" {
			list = append(list, Action{Kind: Run, Hash: p.Hash, Pods: keptPods(o, p.Hash)})
		}
	}
	if s.Stable.Hash != "" && routable(o) && !o.Policy.consumes() {
		list = append(list, Action{Kind: Route, Split: Wanted(o), Withdraw: withdraws(o)})
	}
	if s.Canary.Hash != "" {
		list = append(list, Action{Kind: Record, Hash: s.Canary.Hash})
		if o.Migration.Phase == MigrationMissing {
			list = append(list, Action{Kind: Migrate, Hash: s.Canary.Hash})
		}
		if migrated(o) {
			list = append(list, Action{Kind: Run, Hash: s.Canary.Hash, Pods: canaryPods(o), Shadow: s.asShadow()})
		}
	}
	if startsRewind(o) {
		list = append(list, Action{Kind: GoBack, Hash: s.Rewind.Hash})
	}
	return append(list, Action{Kind: Sweep})
}

// routable holds traffic where it is while stable has no ready pod and another revision does: a revision without
// endpoints is given no traffic. With no other revision there is nowhere else to go.
func routable(o Observation) bool {
	s := o.State
	if o.Replicas == 0 || o.Revisions[s.Stable.Hash].Ready > 0 {
		return true
	}
	return s.Previous.Hash == "" && s.Traffic.Main == s.Stable.Hash
}

// withdraws is true when no revision gets more requests than it was verified to have, or when those that have them leave.
// To give more, providers are asked in order, and the first that is away holds the rest: no share is given that could not
// be taken back. To take away there is nothing to wait for.
func withdraws(o Observation) bool {
	s, wanted := o.State, Wanted(o)
	leaves := slices.ContainsFunc(s.Leaving, func(p Part) bool { return p.Hash == s.Traffic.Main })
	return wanted.Other == "" && (wanted.Main == s.Traffic.Main || leaves)
}

func migrated(o Observation) bool {
	return o.Migration.Phase == MigrationNotNeeded || o.Migration.Phase == MigrationDone
}

// recheck looks again when a time that matters is reached, since no event comes then.
func recheck(o Observation) time.Duration {
	s := o.State
	soonest := time.Duration(0)
	at := func(t time.Time) {
		if d := t.Sub(o.Now); d > 0 && (soonest == 0 || d < soonest) {
			soonest = d
		}
	}
	if s.Canary.Hash != "" {
		at(deadline(o))
		for _, f := range releaseFacts(o.Revisions[s.Canary.Hash]) {
			at(f.Since.Add(o.Policy.StartDeadline))
		}
		at(o.Revisions[s.Canary.Hash].ReadySince.Add(settle))
	}
	for _, p := range s.Leaving {
		if !p.Quiet.IsZero() {
			at(p.Quiet.Add(o.Policy.Drain))
		}
	}
	if s.Previous.Hash != "" {
		at(bakeUntil(o))
	}
	if rewinding(o) {
		at(s.Rewind.At.Add(rewindPatience))
	}
	if Watching(o) {
		at(o.Now.Add(o.Policy.Interval))
	}
	if s.Stable.Hash != "" && s.Traffic.Split != Wanted(o) {
		at(o.Now.Add(2 * time.Second))
	}
	return soonest
}

// Watching is true while counters are to be read: a canary has a share or reads along, or a promoted revision bakes.
func Watching(o Observation) bool {
	s := o.State
	return s.Stable.Hash != "" && ((s.Canary.Hash != "" && s.Percent > 0) || s.ReadsAlong() || (s.Previous.Hash != "" && !o.Policy.alone()))
}
