package verdict

import "math"

// increments are the logarithms of what one look multiplies each atom's process by: the likelihood of odds ratio atom over
// that of odds ratio null, given the look's margins. Each has mean 1 at null; for an atom above null at most 1 below null,
// for an atom below null at most 1 above it. A look without bad requests, with only bad ones or with one side idle gives 0.
func increments(canary, stable Counts, null float64, atoms []float64) []float64 {
	logs := make([]float64, len(atoms))
	f := newFisher(canary, stable)
	if f.low == f.high {
		return logs
	}
	atNull := f.logSum(null)
	for j, atom := range atoms {
		logs[j] = float64(canary.Bad)*math.Log(atom/null) + atNull - f.logSum(atom)
	}
	return logs
}

// rollbackAtoms are the odds ratios that rollback bets on: null·1.25·1.5^j up to 2000.
func rollbackAtoms(null float64) []float64 {
	var atoms []float64
	for psi := null * 1.25; psi <= 2000; psi *= 1.5 {
		atoms = append(atoms, psi)
	}
	return atoms
}
