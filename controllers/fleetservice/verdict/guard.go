package verdict

import "math"

// evidence is one look at one signal, ready to be weighed.
type evidence struct {
	canary, stable Counts
	// again is stable's second window, nil where both revisions were counted at one moment.
	again *Counts
	// share of the reserve that goes to the atoms at this look.
	share float64
	// spread is φ ≥ 1: how much more than independent requests stable's pods differ.
	spread float64
	// dead lifts the cap.
	dead bool
	// steady is false where the look is left out of the relative promotion test.
	steady bool
	// alone says that there is no stable.
	alone bool
}

// atoms are the odds ratios that rollback bets on: over stable's odds, or alone over the objective's.
func (s Signal) atoms(alone bool) []float64 {
	if alone {
		return rollbackAtoms(1)
	}
	return rollbackAtoms(s.Tolerance)
}

// increments are those of rollback against one of stable's windows.
func (e evidence) increments(signal Signal, stable Counts) []float64 {
	atoms := signal.atoms(e.alone)
	switch {
	case e.alone:
		return binomialIncrements(e.canary, logit(signal.Objective), atoms)
	case signal.Exposure:
		return exposureIncrements(e.canary, stable, signal.Tolerance, atoms)
	}
	return increments(e.canary, stable, signal.Tolerance, atoms)
}

// guarded are the increments of rollback: the smaller of stable's two windows where these disagree, then dispersion, then
// the cap. Each step only lowers them or, for negative ones, brings them nearer to 0 as a power ≤ 1 does, so that their
// mean stays at most 1.
func (e evidence) guarded(signal Signal) []float64 {
	logs := e.increments(signal, e.stable)
	if e.disagree() {
		second := e.increments(signal, *e.again)
		for j := range logs {
			logs[j] = math.Min(logs[j], second[j])
		}
	}
	for j := range logs {
		logs[j] /= e.spread
		if !e.dead {
			logs[j] = math.Min(logs[j], logCap)
		}
	}
	return logs
}

// disagree says that stable's two windows differ by more than chance does: something began or ended between them, and the
// canary, read in between, must not be blamed.
func (e evidence) disagree() bool {
	if e.again == nil {
		return false
	}
	x, y := float64(e.stable.Bad), float64(e.again.Bad)
	return math.Abs(x-y) > 2*math.Sqrt(x+y)
}

// dead says that a signal's canary fails nearly everything; of events in an exposure there is no everything.
func (s Signal) dead(pods []Counts) bool {
	return !s.Exposure && dead(pods)
}

// dead says that a canary fails nearly everything: at least 3 requests in this look, and each pod that answered any failed
// at least 80 % of them.
func dead(pods []Counts) bool {
	var total int64
	for _, p := range pods {
		total += p.Requests
		if 5*p.Bad < 4*p.Requests {
			return false
		}
	}
	return total >= 3
}

// Spread estimates φ, the dispersion of bad requests over stable's pods, from earlier looks.
type Spread struct {
	// Squares is Σ(x_q − n_q·p̂)² over stable's pods and looks.
	Squares float64 `json:"squares"`
	// Expected is Σ n_q·p̂(1−p̂), what Squares would be about if requests were independent.
	Expected float64 `json:"expected"`
}

// Factor is φ within [1, 4]; 1 until 10 are expected.
func (s Spread) Factor() float64 {
	if s.Expected < 10 {
		return 1
	}
	return math.Min(4, math.Max(1, s.Squares/s.Expected))
}

func (s Spread) next(pods []Counts) Spread {
	all := sum(pods)
	if all.Bad == 0 {
		return s
	}
	rate := float64(all.Bad) / float64(all.Requests)
	for _, p := range pods {
		off := float64(p.Bad) - float64(p.Requests)*rate
		s.Squares += off * off
		s.Expected += float64(p.Requests) * rate * (1 - rate)
	}
	return s
}

func (s Spread) down() Spread {
	return Spread{Squares: down(s.Squares), Expected: down(s.Expected)}
}

func sum(pods []Counts) Counts {
	var all Counts
	for _, p := range pods {
		all = all.plus(p)
	}
	return all
}
