package verdict

import (
	"fmt"
	"math"
	"slices"
)

// Decide says what the evidence allows now. It is an error to ask for a weight or signal that the release does not have.
func (r *Release) Decide(q Question) (Decision, error) {
	next := slices.Index(r.state.Params.Weights, q.Weight)
	if q.Weight != 0 && next < 0 {
		return Decision{}, fmt.Errorf("weight %g is asked for: the release has %v", q.Weight, r.state.Params.Weights)
	}
	for _, name := range q.Blind {
		if r.index(name) < 0 {
			return Decision{}, fmt.Errorf("signal %q is said to be blind: the release does not have it", name)
		}
	}
	if d := r.against(q.Good); d.Reason != Complete {
		d.Weight = q.Weight
		return d, nil
	}
	return r.toward(q, next), nil
}

// LogE is the natural logarithm of the evidence of all signals against the canary. At its threshold, 1/FalseRollback, a
// mean of e-processes convicts falsely no more often than each of them, however they depend on each other.
func (r *Release) LogE() float64 {
	return r.mean(func(s SignalState) Process { return s.Rollback })
}

func (r *Release) mean(of func(SignalState) Process) float64 {
	logs := r.state.Params.logShares()
	for i, s := range r.state.Signals {
		logs[i] += of(s).LogE()
	}
	return logTotal(logs...)
}

// against is the decision if something speaks against the canary; its reason is Complete if not.
func (r *Release) against(good []string) Decision {
	d := r.about(r.strongest(), r.LogE(), -math.Log(r.state.Params.FalseRollback))
	weak, parts := r.weakGroups(), r.weakParts(good)
	switch {
	case d.LogE < suspicion:
		d.Action, d.Reason = Hold, Complete
	case d.LogE < d.LogNeeded || r.tooFew():
		d.Action, d.Reason = Hold, Suspicious
	case len(parts) == 1: // before pods: data that is bad is so in whoever reads it, and another pod mends nothing
		d.Action, d.Reason, d.Parts = Hold, OnePart, named(r.state.Parts, parts[0])
	case len(weak) == 1:
		d.Action, d.Reason, d.Pods = Hold, OnePod, named(r.state.Groups, weak[0])
	case len(weak) > 1 || len(parts) > 1:
		// Each of several pods or parts is needed to convict: none of them is the one.
		d.Action, d.Reason = Hold, Suspicious
	default:
		d.Action, d.Reason = Rollback, Worse
	}
	return d
}

// toward is the decision about the weight asked for, where nothing speaks against the canary.
func (r *Release) toward(q Question, next int) Decision {
	if len(q.Blind) > 0 {
		d := r.about(r.index(q.Blind[0]), r.LogE(), suspicion)
		d.Action, d.Reason, d.Weight = Hold, Blind, q.Weight
		return d
	}
	if next < 0 {
		d := r.about(r.strongest(), r.LogE(), suspicion)
		d.Action, d.Reason = Hold, Complete
		return d
	}
	i, p := r.weakest(next)
	d := r.about(i, p.LogE(), -math.Log(r.state.Params.FalsePromote))
	d.Weight = q.Weight
	switch {
	case d.LogE < d.LogNeeded:
		d.Action, d.Reason = Hold, Unproven
	case q.Early:
		d.Action, d.Reason = Hold, TooEarly
	default:
		d.Action, d.Reason = Promote, Bounded
	}
	return d
}

func (r *Release) about(i int, logE, needed float64) Decision {
	return Decision{Signal: r.state.Params.Signals[i].Name, LogE: logE, LogNeeded: needed, Canary: r.state.Signals[i].Canary}
}

func (r *Release) index(name string) int {
	return slices.IndexFunc(r.state.Params.Signals, func(s Signal) bool { return s.Name == name })
}

// strongest is the signal with the most evidence against the canary.
func (r *Release) strongest() int {
	best := 0
	for i, s := range r.state.Signals {
		if s.Rollback.LogE() > r.state.Signals[best].Rollback.LogE() {
			best = i
		}
	}
	return best
}

// weakest is the signal with the least evidence for the weight at index next.
func (r *Release) weakest(next int) (int, Promotion) {
	least, promotion := 0, r.Promotion(0, next)
	for i := range r.state.Signals {
		if p := r.Promotion(i, next); p.LogE() < promotion.LogE() {
			least, promotion = i, p
		}
	}
	return least, promotion
}

// Promotion is what speaks, by signal i of Params.Signals, for weight next of Params.Weights.
func (r *Release) Promotion(i, next int) Promotion {
	p := r.state.Signals[i].promotion(r.state.Params.Signals[i], next, r.state.Params.Weights[next])
	if r.state.Params.Alone {
		p.Relative = math.Inf(-1)
	}
	return p
}

// weakGroups are the groups of pods without which too little speaks against the canary: then it is those pods, not the
// revision. A pod that is the only one left is the canary.
func (r *Release) weakGroups() []int {
	var weak []int
	for g := range r.state.Signals[0].Without {
		if len(r.state.Groups) == 1 && len(named(r.state.Groups, g)) == 1 {
			continue
		}
		if r.mean(func(s SignalState) Process { return s.Without[g] }) < suspicion {
			weak = append(weak, g)
		}
	}
	return weak
}

// named are the members of a group.
func named(groups map[string]int, group int) []string {
	var names []string
	for name, g := range groups {
		if g == group {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// evidenceText is exp(logE) for people: 0.53, 310, 12345, 10^9.
func evidenceText(logE float64) string {
	switch e := math.Exp(logE); {
	case e >= 1e6:
		return fmt.Sprintf("10^%.0f", logE/math.Ln10)
	case e >= 1000:
		return fmt.Sprintf("%.0f", e)
	default:
		return fmt.Sprintf("%.3g", e)
	}
}
