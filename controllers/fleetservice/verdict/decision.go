package verdict

import "fmt"

// Action is what the evidence allows.
type Action string

// Rollback is decided before promotion.
const (
	Hold     Action = "Hold"     // keep the weight and look on
	Promote  Action = "Promote"  // give the weight asked for
	Rollback Action = "Rollback" // take the canary back
	Ask      Action = "Ask"      // after promotion: give the old revision half of the requests, and go on comparing
	Alert    Action = "Alert"    // after promotion: tell people, since the old revision cannot take requests
)

// Reason is why.
type Reason string

// Worse comes with Rollback, Bounded with Promote, Suspicious with Ask, Alert and Hold, the others with Hold.
const (
	Worse      Reason = "Worse"      // the canary is provably worse than live stable, or alone than the objective
	OnePart    Reason = "OnePart"    // what speaks against the canary rests on the parts of the work named: it may be their data
	OnePod     Reason = "OnePod"     // what speaks against the canary rests on the pods named: replace them
	Suspicious Reason = "Suspicious" // too much speaks against the canary to give it more, or to leave it alone
	Blind      Reason = "Blind"      // a signal cannot be read
	TooEarly   Reason = "TooEarly"   // the step's least time has not passed
	Unproven   Reason = "Unproven"   // harm at the weight asked for is not bounded yet
	Bounded    Reason = "Bounded"    // harm at the weight asked for is bounded
	Complete   Reason = "Complete"   // no weight is asked for, and nothing speaks against the canary
)

// suspicion is the natural logarithm of 10: from E = 10 on no more weight is given, and up to there a canary without some of
// its pods is not convicted.
const suspicion = 2.3025850929940457

// A Question asks what to do now.
type Question struct {
	// Weight is the coming weight, one of Params.Weights; 0 asks for none (the canary has all traffic, or is to stay).
	Weight float64
	// Early says that the step's least time has not passed.
	Early bool
	// Blind names the signals that could not be read, or for which the canary ended too little of what was due to it. They
	// hold the step; other signals may still take the canary back.
	Blind []string
	// Good names parts of the work that stable is known to have done as it should: what speaks against a canary may rest on
	// these alone.
	Good []string
}

// A Decision is an action with its reason and its numbers. Evidence is a betting score: 100 means that a canary within the
// tolerance shows so much with probability 1/100 at most, over the whole release.
type Decision struct {
	Action Action
	Reason Reason
	// Signal is the one that decided: the strongest against the canary, or the weakest for its promotion.
	Signal string
	// Pods are those that OnePod rests on.
	Pods []string
	// Parts are those that OnePart rests on.
	Parts []string
	// Weight is the coming weight asked for.
	Weight float64
	// LogE is the natural logarithm of the evidence that decided, LogNeeded of what the action needs: for Promote, Unproven
	// and TooEarly that of Signal for its promotion, else that of all signals against the canary.
	LogE, LogNeeded float64
	// Canary is the canary's sum of Signal over the release.
	Canary Counts
}

// String says it in one line.
func (d Decision) String() string {
	s := fmt.Sprintf("%s (%s): %s", d.Action, d.Reason, d.Signal)
	if d.Weight > 0 {
		s += fmt.Sprintf(", weight %g", d.Weight)
	}
	s += fmt.Sprintf(": %d of %d bad, E = %s of %s", d.Canary.Bad, d.Canary.Requests, evidenceText(d.LogE), evidenceText(d.LogNeeded))
	if len(d.Pods) > 0 {
		s += fmt.Sprintf(", resting on %v", d.Pods)
	}
	if len(d.Parts) > 0 {
		s += fmt.Sprintf(", resting on parts %v", d.Parts)
	}
	return s
}
