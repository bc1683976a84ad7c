package verdict

import (
	"fmt"
	"math"
	"slices"
)

// Parts are parts of the work, such as the partitions of a topic. Work is not given to a revision at random, as requests are,
// but by whole parts: what is wrong with the data of one part looks like a fault of whoever has it. So a canary whose counts
// are known by part is only convicted if what speaks against it does not rest on one of them; like the guard for pods, this
// lowers the evidence that convicts, and never a bound.

// checkParts says whether parts can be of the canary's requests: what is left of these without them is no less than nothing.
func (l Look) checkParts(signals []Signal) error {
	if err := checkPods(l.Parts, signals); err != nil {
		return err
	}
	if len(l.Parts) == 0 {
		return nil
	}
	for i, s := range signals {
		if err := sum(of(l.Canary, i)).minus(sum(of(l.Parts, i))).check(); err != nil {
			return fmt.Errorf("signal %q, what no part counts: %w", s.Name, err)
		}
	}
	return nil
}

// weakParts are the groups of parts without which too little speaks against the canary, but for those that rest on parts
// which are known to be good.
func (r *Release) weakParts(good []string) []int {
	var weak []int
	for g := range r.state.Signals[0].WithoutParts {
		names := named(r.state.Parts, g)
		known := len(names) > 0 && !slices.ContainsFunc(names, func(name string) bool { return !slices.Contains(good, name) })
		if !known && r.mean(func(s SignalState) Process { return s.WithoutParts[g] }) < suspicion {
			weak = append(weak, g)
		}
	}
	return weak
}

// Worse is the logarithm of what counts of the canary prove, in one look, against counts of stable that were not taken at the
// same time but of the same part of the work: that the canary's odds of a bad answer are more than the tolerance times
// stable's.
func (s Signal) Worse(canary, stable Counts) float64 {
	logs := increments(canary.fewer(mostCompared), stable.fewer(mostCompared), s.Tolerance, rollbackAtoms(s.Tolerance))
	for j := range logs {
		logs[j] -= math.Log(float64(len(logs)))
	}
	return logTotal(logs...)
}

// mostCompared bounds what a comparison costs; more says no more.
const mostCompared = 1_000_000

// fewer is the same share of bad requests, of no more than so many.
func (c Counts) fewer(n int64) Counts {
	if c.Requests <= n {
		return c
	}
	share := float64(n) / float64(c.Requests)
	return Counts{Requests: n, Bad: int64(float64(c.Bad)*share + 0.5)}
}
