package verdict

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

// errorClaims say how often a release may end wrongly.
func errorClaims() []claim {
	var claims []claim
	for _, base := range []float64{0.001, 0.01, 0.1, 0.3} {
		claims = append(claims, claim{
			name: fmt.Sprintf("rolled back within the tolerance, base %g", base), short: 5, full: 10_000, most: 0.01,
			run: func(rng *rand.Rand) outcome {
				return outcome{wrong: ordinary(base, withOdds(base, 1.5)).rolledBack(rng, halfHour)}
			},
		})
	}
	for _, base := range []float64{0.001, 0.01, 0.1, 0.3} {
		claims = append(claims, claim{
			name: fmt.Sprintf("rolled back within the tolerance on the way, base %g", base), short: 5, full: 10_000, most: 0.01,
			run: func(rng *rand.Rand) outcome {
				return outcome{wrong: rolledBackOnTheWay(rng, ordinary(base, withOdds(base, 1.5)))}
			},
		})
	}
	for _, base := range []float64{0.0051, 0.01, 0.05, 0.2} {
		claims = append(claims, claim{
			name: fmt.Sprintf("given all traffic with twice the odds, base %g", base), short: 5, full: 10_000, most: 0.05,
			run: func(rng *rand.Rand) outcome {
				return outcome{wrong: ordinary(base, withOdds(base, 2)).promoted(rng, 1, halfHour, false) > 0}
			},
		})
	}
	for _, weight := range []float64{0.05, 0.2, 0.5, 1} {
		claims = append(claims, claim{
			name: fmt.Sprintf("given weight %g, just bad at it", weight), short: 5, full: 4000, most: 0.05,
			run: func(rng *rand.Rand) outcome {
				bad := 0.01 / weight
				return outcome{wrong: ordinary(withOdds(bad, 1/(1+1/weight)), bad).promoted(rng, weight, halfHour, false) > 0}
			},
		})
	}
	return slices.Concat(claims, outageClaims(), guardClaims(), partClaims(), kindClaims())
}

// rolledBackOnTheWay spends a quarter of half an hour at each of four weights.
func rolledBackOnTheWay(rng *rand.Rand, w world) bool {
	r := w.begin()
	for k := range halfHour {
		w.weight = []float64{0.01, 0.05, 0.2, 0.5}[4*k/halfHour]
		l := w.look(rng, k)
		l.NewWeight = k%(halfHour/4) == 0
		if observed(r, l, 0).Action == Rollback {
			return true
		}
	}
	return false
}

// outageClaims are about what stable suffers too.
func outageClaims() []claim {
	outage := ordinary(0.001, 0.001)
	outage.stable = func(k int) float64 {
		if k >= 30 && k < 330 {
			return 0.05
		}
		return 0.001
	}
	outage.canary = func(k, _ int) float64 { return outage.stable(k) }
	claims := []claim{{
		name: "rolled back in a shared outage of 5 % for 10 minutes", short: 5, full: 10_000, most: 0.01,
		run: func(rng *rand.Rand) outcome { return outcome{wrong: outage.rolledBack(rng, 400)} },
	}}
	for _, weight := range []float64{0.1, 0.5} {
		claims = append(claims, claim{
			name: fmt.Sprintf("rolled back in a blackout of 5 s read 0.3 s late, weight %g", weight), short: 60, full: 2000, most: 0.01,
			run: func(rng *rand.Rand) outcome { return outcome{wrong: blackout(rng, weight)} },
		})
	}
	return claims
}

// blackout fails every request of both revisions for 5 s. The canary is read 0.3 s after stable, stable again as much later.
func blackout(rng *rand.Rand, weight float64) bool {
	begins := 20 + lookSeconds*rng.Float64()
	at := func(late float64) func(int) float64 {
		return func(k int) float64 {
			from := float64(k*lookSeconds) + late
			overlap := min(from+lookSeconds, begins+5) - max(from, begins)
			share := max(0, overlap) / lookSeconds
			return share + (1-share)*0.001
		}
	}
	w := ordinary(0, 0)
	w.weight, w.stable = weight, at(0)
	w.canary = func(k, _ int) float64 { return at(0.3)(k) }
	r := w.begin()
	for k := range 30 {
		l := w.look(rng, k)
		n := l.Stable[0].Counts[0].Requests
		l.Again = []Counts{{n, binomial(rng, n, at(0.6)(k))}}
		if observed(r, l, 0).Action == Rollback {
			return true
		}
	}
	return false
}

// guardClaims are about bad requests that are not independent.
func guardClaims() []claim {
	var claims []claim
	for _, hourly := range []float64{1, 6} {
		claims = append(claims, claim{
			name: fmt.Sprintf("rolled back by bursts of 20, %g in a pod-hour", hourly), short: 5, full: 4000, most: 0.01,
			run: func(rng *rand.Rand) outcome { return outcome{wrong: bursts(rng, hourly)} },
		})
	}
	for _, rate := range []float64{0.05, 0.3, 1} {
		w := ordinary(0.001, 0.001)
		w.pods = 2
		w.canary = func(_, q int) float64 {
			if q == 1 {
				return rate
			}
			return 0.001
		}
		claims = append(claims, claim{
			name: fmt.Sprintf("rolled back by one pod of two that is bad in %g", rate), short: 5, full: 4000, most: 0.02,
			run: func(rng *rand.Rand) outcome { return outcome{wrong: w.rolledBack(rng, halfHour)} },
		})
	}
	return claims
}

// bursts adds 20 bad requests to a pod's look, so many times in an hour of each pod: one of the canary, nine of stable.
func bursts(rng *rand.Rand, hourly float64) bool {
	w := ordinary(0.001, 0.001)
	w.stablePods = 9
	r := w.begin()
	for k := range halfHour {
		l := w.look(rng, k)
		for _, p := range append(l.Stable, l.Canary...) {
			if rng.Float64() < hourly*lookSeconds/3600 {
				p.Counts[0] = p.Counts[0].plus(Counts{20, 20})
			}
		}
		if observed(r, l, 0).Action == Rollback {
			return true
		}
	}
	return false
}
