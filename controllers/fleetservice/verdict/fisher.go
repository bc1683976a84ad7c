package verdict

import (
	"math"
	"sort"
)

// negligible is the size, relative to the largest term, below which the terms of a sum are left out.
const negligible = 1e-18

// fisher is Fisher's non-central hypergeometric law: how many of m bad requests are the canary's, given that it answered
// nc requests and stable ns. Only the odds ratio matters; the base rate cancels.
type fisher struct {
	nc, ns, m float64
	low, high int
}

func newFisher(canary, stable Counts) fisher {
	m := canary.Bad + stable.Bad
	return fisher{
		nc: float64(canary.Requests), ns: float64(stable.Requests), m: float64(m),
		low: int(max(0, m-stable.Requests)), high: int(min(canary.Requests, m)),
	}
}

// ratio is the term at x+1 over the term at x, for odds ratio psi. It falls as x grows.
func (f fisher) ratio(x, psi float64) float64 {
	return psi * ((f.nc - x) / (x + 1)) * ((f.m - x) / (f.ns - f.m + x + 1))
}

// mode is where the terms are largest: the first x whose successor is smaller.
func (f fisher) mode(psi float64) int {
	return f.low + sort.Search(f.high-f.low, func(i int) bool {
		return f.ratio(float64(f.low+i), psi) < 1
	})
}

// logSum is log F(psi). It sums outwards from the largest term: started at the observed count, it would overflow.
func (f fisher) logSum(psi float64) float64 {
	mode := f.mode(psi)
	sum := 1.0
	for x, term := mode, 1.0; x < f.high && term > negligible; x++ {
		term *= f.ratio(float64(x), psi)
		sum += term
	}
	for x, term := mode, 1.0; x > f.low && term > negligible; x-- {
		term /= f.ratio(float64(x-1), psi)
		sum += term
	}
	k := float64(mode)
	return logChoose(f.nc, k) + logChoose(f.ns, f.m-k) + k*math.Log(psi) + math.Log(sum)
}

func logChoose(n, k float64) float64 {
	return logGamma(n+1) - logGamma(k+1) - logGamma(n-k+1)
}

func logGamma(x float64) float64 {
	v, _ := math.Lgamma(x)
	return v
}
