package verdict

import "math"

// logAdd is log(exp(a)+exp(b)), for infinite arguments too.
func logAdd(a, b float64) float64 {
	large, small := math.Max(a, b), math.Min(a, b)
	if math.IsInf(large, 0) {
		return large
	}
	return large + math.Log1p(math.Exp(small-large))
}

func logTotal(logs ...float64) float64 {
	total := math.Inf(-1)
	for _, l := range logs {
		total = logAdd(total, l)
	}
	return total
}

// logMean is the logarithm of the mean of exp(logs): a mean of e-processes is one, however they depend on each other
// (Vovk & Wang 2021).
func logMean(logs []float64) float64 {
	return logTotal(logs...) - math.Log(float64(len(logs)))
}

// down rounds to 1e-6, downwards: what is saved never holds more evidence than there was.
func down(v float64) float64 {
	return math.Floor(v*1e6) / 1e6
}

func downAll(vs []float64) []float64 {
	if vs == nil {
		return nil
	}
	rounded := make([]float64, len(vs))
	for j, v := range vs {
		rounded[j] = down(v)
	}
	return rounded
}
