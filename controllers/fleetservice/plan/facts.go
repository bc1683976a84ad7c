package plan

import (
	"time"

	"movieexample.com/fleet/controllers/fleetservice/signals"
)

// condemning returns the fact for which the revision on trial is taken back now: a final one at once, any other
// release fact when the start deadline has passed. What stable shows too is not the revision's fault.
func condemning(o Observation, canary, stable Revision) (signals.Fact, bool) {
	if f, bad := fatal(canary, stable); bad {
		return f, true
	}
	if !overdue(o) || canary.Ready >= canaryPods(o) {
		return signals.Fact{}, false
	}
	for _, f := range releaseFacts(canary) {
		if !shows(stable, f.Reason) && !o.Now.Before(f.Since.Add(o.Policy.StartDeadline)) {
			return f, true
		}
	}
	return signals.Fact{}, false
}

// fatal returns a fact that waiting cannot heal and that the other revision does not show.
func fatal(r, other Revision) (signals.Fact, bool) {
	for _, f := range releaseFacts(r) {
		if f.Final && !showsRelease(other) {
			return f, true
		}
	}
	return signals.Fact{}, false
}

// releaseFacts are the facts that are the revision's own fault. A lack of room is one only if it asks for more room
// than stable does.
func releaseFacts(r Revision) []signals.Fact {
	var facts []signals.Fact
	for _, f := range r.Facts {
		roomy := f.Reason == signals.Unschedulable || f.Reason == signals.QuotaExceeded
		if f.Blame == signals.Release || (roomy && r.RaisedRequests) {
			facts = append(facts, f)
		}
	}
	return facts
}

func environmentFact(r Revision) (signals.Fact, bool) {
	for _, f := range r.Facts {
		if f.Blame == signals.Environment {
			return f, true
		}
	}
	return signals.Fact{}, false
}

func shows(r Revision, reason string) bool {
	for _, f := range r.Facts {
		if f.Reason == reason {
			return true
		}
	}
	return false
}

func showsRelease(r Revision) bool {
	for _, f := range r.Facts {
		if f.Blame == signals.Release {
			return true
		}
	}
	return false
}

// deadStable is true when the stable revision serves nothing by its own fault and the canary could.
func deadStable(o Observation) bool {
	stable, canary := o.Revisions[o.State.Stable.Hash], o.Revisions[o.State.Canary.Hash]
	return o.State.Stable.Hash != "" && o.State.Canary.Hash != "" && o.Replicas > 0 && stable.Ready == 0 && showsRelease(stable) &&
		canary.Ready > 0 && len(releaseFacts(canary)) == 0
}

// deadline is when the pods of the revision on trial must be ready. It counts from its Deployment, so that the time
// spent on migrations or as a shadow does not matter, and anew from each share, which takes more pods.
func deadline(o Observation) time.Time {
	since := o.State.Canary.Since
	created := o.Revisions[o.State.Canary.Hash].Created
	if created.IsZero() {
		return o.Now.Add(o.Policy.StartDeadline)
	}
	for _, t := range []time.Time{created, o.State.Canary.Trial, o.State.Traffic.Since} {
		if t.After(since) {
			since = t
		}
	}
	return since.Add(o.Policy.StartDeadline)
}

func overdue(o Observation) bool { return !o.Now.Before(deadline(o)) }
