package verdict

import "math"

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
