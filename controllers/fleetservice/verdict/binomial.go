package verdict

import "math"

// exposureIncrements are increments for events over exposures, such as restarts over pod-seconds: given how many events there
// were in all, the canary's are a binomial share of them, in proportion to its exposure times the odds ratio.
func exposureIncrements(canary, stable Counts, null float64, atoms []float64) []float64 {
	logs := make([]float64, len(atoms))
	all := canary.plus(stable)
	if all.Requests == 0 {
		return logs
	}
	share := float64(canary.Requests) / float64(all.Requests)
	atNull := math.Log1p(share * (null - 1))
	for j, atom := range atoms {
		logs[j] = float64(canary.Bad)*math.Log(atom/null) + float64(all.Bad)*(atNull-math.Log1p(share*(atom-1)))
	}
	return logs
}

// binomialIncrements are the logarithms of what counts of one revision multiply each atom's process by: the likelihood of a
// rate whose odds are ratio times those of the null over that of the null itself, given as log odds. Each has mean 1 at the
// null and at most 1 below it.
func binomialIncrements(c Counts, nullLogOdds float64, ratios []float64) []float64 {
	logs := make([]float64, len(ratios))
	for j, ratio := range ratios {
		r := math.Log(ratio)
		logs[j] = float64(c.Bad)*r + float64(c.Requests)*(softplus(nullLogOdds)-softplus(nullLogOdds+r))
	}
	return logs
}
