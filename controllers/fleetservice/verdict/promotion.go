package verdict

import (
	"math"
	"slices"
)

// memory is the number of looks whose median share of bad requests tells an outage from ordinary traffic.
const memory = 60

// Promotion is what speaks for giving the canary one coming weight, in natural logarithms. Both processes bet against "the
// canary is bad at that weight": it would multiply the service's bad rate by the signal's harm ratio, and would add the
// objective's share of all requests as bad ones.
type Promotion struct {
	// Weight is the coming weight, a fraction in (0, 1].
	Weight float64
	// Relative is log E_rel: the canary is not so much worse than stable. −Inf where no stable answers.
	Relative float64
	// Absolute is log E_abs: the canary is not so bad. +Inf where no canary can be so bad, and where the signal has no say.
	Absolute float64
}

// LogE is log(½·E_rel + ½·E_abs); without a stable, log E_abs.
func (p Promotion) LogE() float64 {
	if math.IsInf(p.Relative, -1) {
		return p.Absolute
	}
	return logAdd(p.Relative, p.Absolute) - math.Ln2
}

// harmRatio is ψ1: at full weight a canary is bad from this odds ratio on. It lies above the tolerance, so that promotion
// and rollback cannot contradict each other.
func (s Signal) harmRatio() float64 { return s.Tolerance * 4 / 3 }

// harmAt is the odds ratio from which the canary would multiply the service's bad rate by harmRatio at weight w.
func (s Signal) harmAt(w float64) float64 { return 1 + (s.harmRatio()-1)/w }

// relativeAtoms are the odds ratios that promotion bets on. The first is √2, but stays below harmRatio where a tolerance
// near 1 puts that below √2: an atom above its null would be evidence for a worse canary.
func (s Signal) relativeAtoms() []float64 {
	return []float64{math.Sqrt(min(2, s.harmRatio())), 1, 0.5}
}

// relativeNext adds a look to the three logarithms of the relative process of weight w.
func (s Signal) relativeNext(w float64, logs [3]float64, e evidence) [3]float64 {
	for j, l := range increments(e.canary, e.stable, s.harmAt(w), s.relativeAtoms()) {
		logs[j] += l
	}
	return logs
}

// relativeLogE is log E_rel: the mean with weights ¼, ½, ¼ on relativeAtoms.
func relativeLogE(logs [3]float64) float64 {
	return logTotal(logs[0], logs[1]+math.Ln2, logs[2]) - 2*math.Ln2
}

// absoluteLogE is log E_abs of the canary's sums since the release began, against a rate of objective/w or more: a mixture
// of two binomial likelihood ratios, a quarter on half of that rate and three quarters on an eighth.
func (s Signal) absoluteLogE(w float64, canary Counts) float64 {
	p := s.Objective / w
	if p >= 1 {
		return math.Inf(1)
	}
	x, n := float64(canary.Bad), float64(canary.Requests)
	bet := func(share, q float64) float64 {
		return math.Log(share) + x*math.Log(q/p) + (n-x)*(math.Log1p(-q)-math.Log1p(-p))
	}
	return logAdd(bet(0.25, p/2), bet(0.75, p/8))
}

// steady says whether a look with these margins belongs into the relative promotion test. Pooled over the edge of an outage,
// odds ratios shrink towards 1 and a bad canary looks good. Margins alone decide it, so leaving a look out is valid.
func steady(shares []int, all Counts) bool {
	usual := 0.0
	if len(shares) > 0 {
		sorted := slices.Sorted(slices.Values(shares))
		usual = float64(sorted[(len(sorted)-1)/2]+sorted[len(sorted)/2]) / 2e6
	}
	return float64(all.Bad) <= 5+3*float64(all.Requests)*usual
}

// remember keeps the look's share of bad requests, in millionths.
func remember(shares []int, all Counts) []int {
	if all.Requests == 0 {
		return shares
	}
	kept := append(slices.Clone(shares), int(all.Bad*1_000_000/all.Requests))
	return kept[max(0, len(kept)-memory):]
}
