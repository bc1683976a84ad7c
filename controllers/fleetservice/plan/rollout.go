package plan

import (
	"cmp"
	"fmt"
	"time"

	"movieexample.com/fleet/api/v1alpha1"
)

// noTraffic is the number of requests in a step under which nothing can be judged.
const noTraffic = 50

// rollout moves the desired revision through its steps, or takes it back.
func rollout(o Observation) *Decision {
	s, want := o.State, target(o)
	switch {
	case s.Stable.Hash != "" && want.Hash == s.Stable.Hash:
		return atRest(o)
	case want.Hash == "": // a spec that is refused begins nothing
		return against(o)
	case s.Canary.Hash != want.Hash:
		return cmp.Or(begin(o), against(o)) // the next one may have to wait
	}
	return cmp.Or(against(o), forward(o))
}

// target is the revision to go to: the desired one. A resource that is made anew with a quarantined revision starts
// from the one that was promoted last.
func target(o Observation) Part {
	_, quarantined := o.Quarantined[o.Desired.Hash]
	if quarantined && o.State.Stable.Hash == "" && o.Remembered.Hash != "" {
		return o.Remembered
	}
	return o.Desired
}

// atRest tidies up when the spec asks for what is stable already.
func atRest(o Observation) *Decision {
	s := o.State
	switch {
	case s.Canary.Hash != "":
		return &Decision{State: dropCanary(o), Verb: Abandon, Reason: "the spec asks for the stable revision again"}
	case s.Rejected.Hash != "" && recorded(o):
		s.Rejected = Rejection{}
		return &Decision{State: s, Verb: Retry, Reason: "the spec returned to the stable revision"}
	}
	return nil
}

// recorded is true when what was taken back stands in the ledger, where it has to, and may be forgotten here.
func recorded(o Observation) bool {
	_, quarantined := o.Quarantined[o.State.Rejected.Hash]
	return quarantined || !o.State.Rejected.Quarantined
}

// dropCanary is the state without the revision on trial, which finishes its requests.
func dropCanary(o Observation) State {
	s := leave(o, o.State, o.State.Canary)
	s.Canary, s.Percent, s.Granted, s.Shadow = Part{}, 0, 0, Shadow{}
	return s
}

// rejected says why a revision is not tried.
func rejected(o Observation, hash string) (Rejection, bool) {
	if r, found := o.Quarantined[hash]; found {
		return r, true
	}
	return o.State.Rejected, hash != "" && o.State.Rejected.Hash == hash
}

// begin puts the target on trial, unless it was taken back or cannot be started.
func begin(o Observation) *Decision {
	s, want := o.State, target(o)
	if _, no := rejected(o, want.Hash); no {
		if s.Canary.Hash == "" {
			return nil
		}
		return &Decision{State: dropCanary(o), Verb: Abandon, Reason: "the spec asks for a revision that was taken back"}
	}
	if s.Previous.Hash == want.Hash && (o.Revisions[want.Hash].Ready > 0 || o.Policy.consumes()) {
		return revert(o)
	}
	if o.Blocked != "" || o.LedgerDamaged != "" || o.Policy.Paused || rewinding(o) || len(s.Leaving) >= maxLeaving {
		return nil
	}
	if o.Policy.Coarse && len(s.Leaving) > 0 { // it would get requests through the Service object again
		return nil
	}
	verb, reason := Begin, "the spec asks for image "+want.Image
	if want.Hash != o.Desired.Hash {
		reason = fmt.Sprintf("%s is quarantined; the revision promoted last is started", o.Desired.Hash)
	}
	if s.Canary.Hash != "" {
		verb, reason = Replace, fmt.Sprintf("the spec changed while %s was on trial", s.Canary.Hash)
	}
	s = dropCanary(o)
	if s.Previous.Hash != "" {
		s = leave(o, s, s.Previous)
		s.Previous = Part{}
	}
	s = arrive(s, want.Hash)
	s.Canary, s.Rewind = want, Rewind{}
	s.Canary.Since, s.Canary.Trial, s.Shadow = o.Now, o.Now, shadowFor(o)
	return &Decision{State: s, Verb: verb, Reason: reason}
}

// against takes the revision on trial back for what it shows: a fact, a verdict, a check. It is not taken back into
// something worse: while it serves and stable does not, it stays.
func against(o Observation) *Decision {
	s := o.State
	canary, stable := o.Revisions[s.Canary.Hash], o.Revisions[s.Stable.Hash]
	if s.Canary.Hash == "" || s.Stable.Hash == "" {
		return nil // without one to return to the outlook tells what is wrong
	}
	if o.Migration.Phase == MigrationFailed {
		return takeBack(o, v1alpha1.ReasonMigrationFailed, o.Migration.Message, true)
	}
	if !migrated(o) {
		return nil
	}
	if down(o, s.Stable.Hash) && canary.Ready > 0 {
		return nil
	}
	if fact, bad := condemning(o, canary, stable); bad {
		return takeBack(o, fact.Reason, fact.Message, true)
	}
	if !compared(o) {
		return nil
	}
	switch e := o.Evidence; {
	case e.Verdict == Worse:
		return takeBack(o, v1alpha1.ReasonWorse, unharmed(o, e.Message), true)
	case e.Starved != "":
		return takeBack(o, v1alpha1.ReasonStarved, e.Starved, true)
	case e.Stuck != "":
		return takeBack(o, v1alpha1.ReasonStuck, unharmed(o, e.Stuck), true)
	case e.Failed != "":
		return takeBack(o, v1alpha1.ReasonCheckFailed, e.Failed, true)
	case undecided(o) && e.Reason != v1alpha1.ReasonBlind && o.Policy.OnInconclusive == v1alpha1.InconclusiveRollback && !idle(o):
		return takeBack(o, v1alpha1.ReasonInconclusive, unharmed(o, fmt.Sprintf("no verdict within %s: %s", o.Policy.MaxStep, e.Message)), false)
	}
	return nil
}

func takeBack(o Observation, reason, message string, quarantine bool) *Decision {
	s := dropCanary(o)
	s.Rejected = Rejection{
		Hash: o.State.Canary.Hash, Image: o.State.Canary.Image, Reason: reason, Message: message, At: o.Now, Quarantined: quarantine,
	}
	if o.State.Percent > 0 {
		s = readAgain(o, s, o.State.Canary)
	}
	return &Decision{State: s, Verb: TakeBack, Reason: message}
}

// forward gives the canary its next share when its pods are ready for it and something permits it.
func forward(o Observation) *Decision {
	canary, to := o.Revisions[o.State.Canary.Hash], next(o)
	if o.State.asShadow() {
		return readAlong(o)
	}
	if !migrated(o) || !ready(o, canary) || !standing(o) || joining(o) || shadowLeft(o) {
		return nil
	}
	reason, permitted := permit(o, to)
	switch {
	case !permitted:
		return nil
	case to.last:
		return promote(o, reason)
	}
	s := o.State
	s.Percent = to.percent
	return &Decision{State: s, Verb: Advance, Reason: fmt.Sprintf("weight %d→%d: %s", o.State.Percent, to.percent, reason)}
}

// ready is true when every pod that the next share takes is ready and nothing speaks against them. Where pods make the
// share, those of the present share count.
func ready(o Observation, r Revision) bool {
	return r.Ready >= canaryPods(o) && len(releaseFacts(r)) == 0
}

// Standing is true when requests were verified to go as the present share says, and a canary that reads along has a pod that
// does.
func Standing(o Observation) bool { return standing(o) }

func standing(o Observation) bool {
	if o.State.asShadow() && !shadows(o.Revisions[o.State.Canary.Hash]) {
		return false
	}
	return o.State.Stable.Hash == "" || o.State.Traffic.Split == Wanted(o)
}

// permit says whether, and why, the next share may be given.
func permit(o Observation, to step) (string, bool) {
	s := o.State
	canary := o.Revisions[s.Canary.Hash]
	pods := fmt.Sprintf("%d of %d pods ready", canary.Ready, canaryPods(o))
	settled := o.Now.Sub(canary.ReadySince) >= settle
	switch {
	case o.Policy.Paused && to.percent > s.Granted:
		return "", false
	case o.Replicas == 0:
		return "no pods are asked for", true
	case s.Stable.Hash == "" || deadStable(o):
		return fmt.Sprintf("%s for %s, and no other revision serves", pods, settle), settled
	case s.Granted >= to.percent:
		return "by command", true
	case o.LedgerDamaged != "":
		return "", false
	case s.Percent == 0 && o.Policy.consumes() && !to.last:
		return fmt.Sprintf("%d of its pods join the group", to.pods), true
	case s.Percent == 0 && to.last:
		return fmt.Sprintf("%s for %s", pods, settle), settled
	case s.Percent == 0:
		return pods, true
	case early(o) || o.Evidence.Waiting != "":
		return "", false
	case o.Evidence.Verdict == Harmless:
		return o.Evidence.Message, true
	case undecided(o):
		return byPolicy(o)
	}
	return "", false
}

// byPolicy says what happens when the time of a step is over without a verdict.
func byPolicy(o Observation) (string, bool) {
	if idle(o) {
		return fmt.Sprintf("%d requests in %s; the pods are healthy", o.Evidence.Requests, o.Policy.MaxStep), o.Policy.OnNoTraffic == v1alpha1.NoTrafficProceed
	}
	return fmt.Sprintf("no verdict within %s, and onInconclusive is Promote", o.Policy.MaxStep),
		o.Policy.OnInconclusive == v1alpha1.InconclusivePromote && !o.Evidence.holds()
}

// early is true until the present share has lasted as long as a step must.
func early(o Observation) bool { return o.Now.Sub(stepSince(o)) < o.Policy.MinStep }

// Early is true until the canary's present share has lasted as long as a step must.
func Early(o Observation) bool { return early(o) }

// undecided is true when the time of a step is over.
func undecided(o Observation) bool {
	return compared(o) && standing(o) && o.Now.Sub(stepSince(o)) >= o.Policy.MaxStep
}

// idle is true when a step had too few requests for any verdict.
func idle(o Observation) bool {
	return o.Evidence.Requests < noTraffic && o.Evidence.Reason != v1alpha1.ReasonBlind
}

func promote(o Observation, reason string) *Decision {
	s := o.State
	s.Previous, s.Stable = s.Stable, s.Canary
	s.Previous.Since, s.Stable.Since = o.Now, o.Now
	if s.Previous.Hash == "" {
		s.Previous = Part{}
	}
	s.Canary, s.Percent, s.Granted, s.Shadow, s.Asking = Part{}, 0, 0, Shadow{}, time.Time{}
	if recorded(o) {
		s.Rejected = Rejection{}
	}
	return &Decision{State: s, Verb: Promote, Reason: reason}
}
