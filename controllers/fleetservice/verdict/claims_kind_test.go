package verdict

import (
	"fmt"
	"math/rand/v2"
)

// kindClaims are the error claims of releases without a stable, and of signals other than one kind of bad answer.
func kindClaims() []claim {
	var claims []claim
	for _, objective := range []float64{0.001, 0.01, 0.1} {
		claims = append(claims, claim{
			name: fmt.Sprintf("rolled back at the objective of %g, nothing to compare with", objective), short: 5, full: 10_000, most: 0.01,
			run: func(rng *rand.Rand) outcome { return outcome{wrong: atObjective(rng, objective)} },
		})
	}
	unproven := ordinary(0, 0.01)
	unproven.alone = true
	return append(claims, claim{
		name: "given all traffic at the objective, nothing to compare with", short: 5, full: 10_000, most: 0.05,
		run: func(rng *rand.Rand) outcome { return outcome{wrong: unproven.promoted(rng, 1, halfHour, false) > 0} },
	}, claim{
		name: "rolled back within the tolerance by three buckets of one histogram", short: 5, full: 4000, most: 0.01,
		run: func(rng *rand.Rand) outcome { return outcome{wrong: slower(rng)} },
	}, claim{
		name: "rolled back by restarts within the tolerance", short: 5, full: 4000, most: 0.01,
		run: func(rng *rand.Rand) outcome { return outcome{wrong: restarting(rng)} },
	})
}

// atObjective is a canary without a stable, just as bad as the objective allows.
func atObjective(rng *rand.Rand, objective float64) bool {
	w := ordinary(0, objective)
	w.alone = true
	params := w.params()
	params.Signals[0].Objective = objective
	r := must(New(params))
	for k := range halfHour {
		if observed(r, w.look(rng, k), 0).Action == Rollback {
			return true
		}
	}
	return false
}

// slower are nested buckets: who misses a larger bound misses the smaller ones. The canary's odds are at the tolerance in each.
func slower(rng *rand.Rand) bool {
	bases := []float64{0.001, 0.2, 0.05, 0.01}
	r := must(New(buckets()))
	answers := func(n int64, ratio float64) []Counts {
		counts := []Counts{{n, binomial(rng, n, withOdds(bases[0], ratio))}}
		over, rate := n, 1.0
		for _, base := range bases[1:] {
			next := withOdds(base, ratio)
			over = binomial(rng, over, next/rate)
			rate = next
			counts = append(counts, Counts{n, over})
		}
		return counts
	}
	for range halfHour {
		canary := binomial(rng, 200, 0.1)
		l := Look{
			Canary: []Pod{{Name: "a", Counts: answers(canary, 1.5)}},
			Stable: []Pod{{Name: "s", Counts: answers(200-canary, 1)}},
		}
		if observed(r, l, 0).Action == Rollback {
			return true
		}
	}
	return false
}

// restarting are nine pods of stable and one of the canary's; each restarts in one of 200 seconds, the canary's in twice as
// many, as its tolerance allows.
func restarting(rng *rand.Rand) bool {
	r := must(New(restarts()))
	for range halfHour {
		l := Look{
			Canary: []Pod{{Name: "a", Counts: []Counts{{}, {2, binomial(rng, 2, 0.01)}}}},
			Stable: []Pod{{Name: "s", Counts: []Counts{{}, {18, binomial(rng, 18, 0.005)}}}},
		}
		if observed(r, l, 0).Action == Rollback {
			return true
		}
	}
	return false
}
