package verdict

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// Params are fixed for the life of a release; another tolerance, objective or list of steps is a new release.
type Params struct {
	// Signals are judged together: their evidence against the canary is averaged, and each that has a say has to agree to a
	// promotion.
	Signals []Signal `json:"signals"`
	// Weights are the weights still to come after the release's first, as rising fractions; the last is 1.
	Weights []float64 `json:"weights"`
	// FalseRollback is α: the largest probability that a canary within the tolerance, or within the objective where it is
	// Alone, is ever rolled back in this release.
	FalseRollback float64 `json:"falseRollback"`
	// FalsePromote is β: the largest probability that a release is ever given, after its first weight, one at which it is bad.
	FalsePromote float64 `json:"falsePromote"`
	// Alone says that no stable answers requests, so that there is nothing to compare with: the canary is taken back when it
	// is provably worse than the objective, whatever the tolerance, and promoted on its own counts. Where stable answers,
	// leave it unset: an outage that both suffer would convict.
	Alone bool `json:"alone,omitempty"`
}

// Check says what is wrong with the parameters, nil if nothing is.
func (p Params) Check() error {
	return errors.Join(p.checkWeights(), p.checkSignals(), checkProbability("falseRollback", p.FalseRollback), checkProbability("falsePromote", p.FalsePromote))
}

func checkProbability(name string, v float64) error {
	if v >= 1e-9 && v <= 0.5 {
		return nil
	}
	return fmt.Errorf("%s is %g: it must lie between 1e-9 and 0.5", name, v)
}

func (p Params) checkWeights() error {
	if len(p.Weights) == 0 || p.Weights[len(p.Weights)-1] != 1 {
		return fmt.Errorf("weights are %v: the last must be 1, all traffic", p.Weights)
	}
	last := 0.0
	for _, w := range p.Weights {
		if !(w >= last+1e-4) {
			return fmt.Errorf("weights are %v: each must exceed the one before by 0.0001 at least, the first 0", p.Weights)
		}
		last = w
	}
	return nil
}

func (p Params) checkSignals() error {
	if len(p.Signals) == 0 {
		return errors.New("there are no signals: name at least one")
	}
	for i, s := range p.Signals {
		if slices.ContainsFunc(p.Signals[:i], func(t Signal) bool { return t.Name == s.Name }) {
			return fmt.Errorf("signal %q is there twice: name each once", s.Name)
		}
		if err := s.check(p.Alone); err != nil {
			return fmt.Errorf("signal %q: %w", s.Name, err)
		}
	}
	if !slices.ContainsFunc(p.Signals, Signal.promotes) {
		return errors.New("no signal has a say in a promotion: one at least must count answers and not be for rollback only")
	}
	return nil
}

func (s Signal) check(alone bool) error {
	if !(s.Tolerance >= 1 && s.Tolerance <= 100) {
		return fmt.Errorf("tolerance is %g: it must lie between 1 and 100, as a ratio of odds", s.Tolerance)
	}
	unused := s.Objective == 0 && !s.promotes() && !alone
	if !unused && !(s.Objective >= 1e-6 && s.Objective <= 0.999) {
		return fmt.Errorf("objective is %g: it must lie between 0.000001 and 0.999, as a share of requests", s.Objective)
	}
	if s.Exposure && alone {
		return errors.New("events in an exposure are compared with stable's, and the release is Alone: leave the signal out")
	}
	return nil
}

// logShares are the logarithms of the signals' shares v_i in the evidence against the canary; they sum to 1. Each group has
// as much as a signal on its own, and splits it evenly: a mean of e-processes is one.
func (p Params) logShares() []float64 {
	sizes := map[string]int{}
	shares := 0
	for _, s := range p.Signals {
		if s.Group == "" || sizes[s.Group] == 0 {
			shares++
		}
		sizes[s.Group]++
	}
	logs := make([]float64, len(p.Signals))
	for i, s := range p.Signals {
		logs[i] = -math.Log(float64(shares))
		if s.Group != "" {
			logs[i] -= math.Log(float64(sizes[s.Group]))
		}
	}
	return logs
}

func (p Params) equal(q Params) bool {
	return slices.Equal(p.Signals, q.Signals) && slices.Equal(p.Weights, q.Weights) &&
		p.FalseRollback == q.FalseRollback && p.FalsePromote == q.FalsePromote && p.Alone == q.Alone
}
