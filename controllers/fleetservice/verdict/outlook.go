package verdict

import (
	"math"
	"sort"
)

// Traffic is what a look brings on average, and how bad stable is.
type Traffic struct {
	// Canary and Stable are requests a look.
	Canary, Stable float64
	// History is stable's sum, the longer the better.
	History Counts
}

// SmallestEffect is the least odds ratio that rollback is expected to find within so many looks with equal weights on all its
// atoms: ≥ 1.25 times the tolerance, over stable's odds, or alone ≥ 1.25, over the objective's. +Inf where this traffic shows
// nothing up to 2000.
func (r *Release) SmallestEffect(signal int, t Traffic, looks float64) float64 {
	s := r.state.Params.Signals[signal]
	atoms := s.atoms(r.state.Params.Alone)
	need := math.Log(2*float64(len(atoms))/r.state.Params.FalseRollback) - r.state.Params.logShares()[signal]
	low, high := math.Log(atoms[0]), math.Log(2000.0)
	found := func(logPsi float64) bool {
		if r.state.Params.Alone {
			return looks*t.Canary*divergence(withOdds(s.Objective, math.Exp(logPsi)), s.Objective) >= need
		}
		return looks*t.growth(math.Exp(logPsi), s.Tolerance) >= need
	}
	if !found(high) {
		return math.Inf(1)
	}
	const steps = 4096
	i := sort.Search(steps, func(i int) bool { return found(low + (high-low)*float64(i)/steps) })
	return math.Exp(low + (high-low)*float64(i)/steps)
}

// LooksLeft is the number of looks that signal needs, if the canary stays as good as stable, until its evidence suffices for
// weight next of Params.Weights; 0 if it does, +Inf where this traffic never shows it.
func (r *Release) LooksLeft(signal, next int, t Traffic) float64 {
	p, beta := r.Promotion(signal, next), r.state.Params.FalsePromote
	if p.LogE() >= -math.Log(beta) {
		return 0
	}
	s, canary := r.state.Params.Signals[signal], r.state.Signals[signal].Canary
	fall := t.Canary * shortfall(canary.rate(), s.Objective/p.Weight)
	if r.state.Params.Alone {
		return looks(math.Log(4/(3*beta))-p.Absolute, fall)
	}
	absolute := looks(math.Log(8/(3*beta))-p.Absolute, fall)
	relative := looks(math.Log(4/beta)-p.Relative, t.growth(1, s.harmAt(p.Weight)))
	return math.Min(absolute, relative)
}

func looks(missing, growth float64) float64 {
	if !(growth > 0) {
		return math.Inf(1)
	}
	return math.Max(1, missing/growth)
}

// shortfall is how fast the absolute process grows a request at rate p against a bound above it, 0 from the bound on.
func shortfall(p, bound float64) float64 {
	if p >= bound {
		return 0
	}
	return divergence(p, bound)
}

// growth is what log L gains a look on average, for a canary whose odds are psi times stable's, against null: the least
// divergence from any pair of rates whose odds have ratio null. Within a few percent of the exact mean.
func (t Traffic) growth(psi, null float64) float64 {
	p := logit(t.History.rate())
	cost := func(r float64) float64 {
		return t.Canary*divergence(expit(p+math.Log(psi)), expit(r+math.Log(null))) + t.Stable*divergence(expit(p), expit(r))
	}
	other := p + math.Log(psi/null)
	return math.Max(0, cost(golden(cost, math.Min(p, other), math.Max(p, other))))
}

// golden is where f, which falls and then rises between a and b, is least (golden section).
func golden(f func(float64) float64, a, b float64) float64 {
	const ratio = 1 / math.Phi
	c, d := b-(b-a)*ratio, a+(b-a)*ratio
	fc, fd := f(c), f(d)
	for range 60 {
		if fc < fd {
			b, d, fd = d, c, fc
			c = b - (b-a)*ratio
			fc = f(c)
		} else {
			a, c, fc = c, d, fd
			d = a + (b-a)*ratio
			fd = f(d)
		}
	}
	return (a + b) / 2
}

// divergence is the Kullback–Leibler divergence of a coin with rate p from one with rate q, in nats; both inside (0, 1).
func divergence(p, q float64) float64 {
	if q >= 1 {
		return math.Inf(1)
	}
	return p*math.Log(p/q) + (1-p)*(math.Log1p(-p)-math.Log1p(-q))
}

// withOdds is the rate whose odds are ratio times those of p.
func withOdds(p, ratio float64) float64 { return expit(logit(p) + math.Log(ratio)) }

func logit(p float64) float64 { return math.Log(p) - math.Log1p(-p) }

func expit(v float64) float64 { return 1 / (1 + math.Exp(-v)) }
