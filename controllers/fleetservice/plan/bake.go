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
	if fact, bad := fatal(stable, previous); bad && previous.Ready > 0 && stable.Ready < o.Replicas {
		return giveBack(o, fact.Reason, fact.Message+"; the old revision still runs and takes the requests again")
	}
	if s.Traffic.Split != Wanted(o) { // requests are still on their way to it
		return nil
	}
	if !s.Asking.IsZero() {
		return answered(o)
	}
	switch {
	case o.Evidence.Suspicion != "" && previous.Ready > 0 && o.Policy.Bake > 0:
		s.Asking = o.Now
		return &Decision{State: s, Verb: Ask, Reason: o.Evidence.Suspicion + "; half of the requests go to " + s.Previous.Hash + " again, and the comparison decides"}
	case !o.Now.Before(bakeUntil(o)):
		return baked(o)
	}
	return nil
}

// answered ends the comparison with the old revision.
func answered(o Observation) *Decision {
	s := o.State
	switch {
	case o.Evidence.Verdict == Worse:
		return giveBack(o, v1alpha1.ReasonWorse, o.Evidence.Message)
	case o.Now.Sub(s.Asking) >= askFor && o.Evidence.Clear:
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
	return &Decision{State: s, Verb: Return, Reason: message}
}

// revert returns to the previous revision because the spec asks for it again.
func revert(o Observation) *Decision {
	return &Decision{State: returned(o), Verb: Revert, Reason: fmt.Sprintf("the spec asks for %s again, which is still warm", o.State.Previous.Hash)}
}

func returned(o Observation) State {
	s := dropCanary(o)
	bad := s.Stable
	s = leave(s, o.Now, bad)
	s.Stable, s.Previous, s.Asking = s.Previous, Part{}, time.Time{}
	s.Stable.Since = o.Now
	return s
}

// baked ends the bake: the old revision is needed no more.
func baked(o Observation) *Decision {
	s := leave(o.State, o.Now, o.State.Previous)
	for i := range s.Leaving { // no request was sent to it since the switch was verified
		if s.Leaving[i].Hash == s.Previous.Hash {
			s.Leaving[i].Quiet = s.Traffic.Since
		}
	}
	s.Previous = Part{}
	return &Decision{State: s, Verb: Baked, Reason: fmt.Sprintf("%s had all requests since %s and nothing speaks against it", s.Stable.Hash, clock(s.Stable.Since))}
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
