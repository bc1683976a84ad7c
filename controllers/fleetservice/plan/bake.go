package plan

import (
	"fmt"
	"time"

	"movieexample.com/fleet/api/v1alpha1"
)

// askFor is how long half of the requests go to the old revision at least, unless the comparison decides before.
const askFor = 2 * time.Minute

// baking watches the promoted revision while the one before it is warm.
func baking(o Observation) *Decision {
	s := o.State
	if s.Previous.Hash == "" {
		return nil
	}
	stable, previous := o.Revisions[s.Stable.Hash], o.Revisions[s.Previous.Hash]
	if fact, bad := fatal(stable, previous); bad && (previous.Ready > 0 || o.Policy.consumes()) && stable.Ready < o.Replicas {
		return giveBack(o, fact.Reason, fact.Message+"; "+takesAgain(o))
	}
	if s.Traffic.Split != Wanted(o) { // requests are still on their way to it
		return nil
	}
	if !s.Asking.IsZero() {
		return answered(o)
	}
	switch {
	case o.Evidence.Suspicion != "" && !o.Policy.alone() && (previous.Ready > 0 || o.Policy.consumes()) && o.Policy.Bake > 0:
		s.Asking = o.Now
		return &Decision{State: s, Verb: Ask, Reason: fmt.Sprintf("%s; half of the %s go to %s again, and the comparison decides", o.Evidence.Suspicion, o.Policy.work(), s.Previous.Hash)}
	case !o.Now.Before(bakeUntil(o)):
		return baked(o)
	}
	return nil
}

// takesAgain says what the old revision does when the new one fails.
func takesAgain(o Observation) string {
	if o.Policy.consumes() {
		return "the old revision comes back and reads the partitions again"
	}
	return "the old revision still runs and takes the requests again"
}

// answered ends the comparison with the old revision.
func answered(o Observation) *Decision {
	s := o.State
	switch {
	case o.Evidence.Verdict == Worse:
		return giveBack(o, v1alpha1.ReasonWorse, o.Evidence.Message)
	case o.Now.Sub(s.Asking) >= askFor && (o.Evidence.Clear || o.Evidence.Reason == v1alpha1.ReasonOnePartition):
		s.Asking = time.Time{}
		return &Decision{State: s, Verb: Answer, Reason: "the old revision is no better: " + o.Evidence.Message}
	}
	return nil
}

// giveBack makes the previous revision stable again, at once, and quarantines the one that replaced it.
func giveBack(o Observation, reason, message string) *Decision {
	bad := o.State.Stable
	s := returned(o)
	s.Rejected = Rejection{Hash: bad.Hash, Image: bad.Image, Reason: reason, Message: message, At: o.Now, Quarantined: true}
	s = readAgain(o, s, bad)
	return &Decision{State: s, Verb: Return, Reason: message}
}

// revert returns to the previous revision because the spec asks for it again.
func revert(o Observation) *Decision {
	how := "is still warm"
	if o.Policy.consumes() {
		how = "comes back as it was"
	}
	return &Decision{State: returned(o), Verb: Revert, Reason: fmt.Sprintf("the spec asks for %s again, which %s", o.State.Previous.Hash, how)}
}

func returned(o Observation) State {
	s := dropCanary(o)
	bad := s.Stable
	s = leave(o, s, bad)
	s.Stable, s.Previous, s.Asking = s.Previous, Part{}, time.Time{}
	s.Stable.Since = o.Now
	return s
}

// baked ends the bake: the old revision is needed no more.
func baked(o Observation) *Decision {
	s := leave(o, o.State, o.State.Previous)
	for i := range s.Leaving { // no request was sent to it since the switch was verified
		if s.Leaving[i].Hash == s.Previous.Hash {
			s.Leaving[i].Quiet = s.Traffic.Since
		}
	}
	s.Previous = Part{}
	return &Decision{State: s, Verb: Baked, Reason: fmt.Sprintf("%s had all %s since %s and nothing speaks against it", s.Stable.Hash, o.Policy.work(), clock(s.Stable.Since))}
}

// BakeUntil is when the bake ends, if nothing speaks against the new revision.
func BakeUntil(o Observation) time.Time { return bakeUntil(o) }

// bakeUntil is when the bake ends. It begins when all requests were seen to go to the new revision.
func bakeUntil(o Observation) time.Time {
	from := o.State.Stable.Since
	if o.State.Traffic.Since.After(from) && o.Policy.Bake == 0 {
		from = o.State.Traffic.Since
	}
	return from.Add(o.Policy.Bake)
}
