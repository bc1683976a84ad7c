package verdict

import (
	"fmt"
	"math"
	"math/rand/v2"
)

const halfHour = 1800 / lookSeconds

// errorClaims say how often a release may end wrongly.
func errorClaims() []claim {
	var claims []claim
	for _, base := range []float64{0.001, 0.01, 0.1, 0.3} {
		claims = append(claims, claim{
			name: fmt.Sprintf("rolled back within the tolerance, base %g", base), short: 5, full: 10_000, most: 0.01,
			run: func(rng *rand.Rand) outcome {
				return outcome{wrong: ordinary(base, withOdds(base, 1.5)).rolledBack(rng, halfHour) > 0}
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
				return outcome{wrong: ordinary(base, withOdds(base, 2)).promoted(rng, 1, halfHour) > 0}
			},
		})
	}
	for _, weight := range []float64{0.05, 0.2, 0.5, 1} {
		claims = append(claims, claim{
			name: fmt.Sprintf("given weight %g, just bad at it", weight), short: 5, full: 4000, most: 0.05,
			run: func(rng *rand.Rand) outcome {
				bad := 0.01 / weight
				return outcome{wrong: ordinary(withOdds(bad, 1/(1+1/weight)), bad).promoted(rng, weight, halfHour) > 0}
			},
		})
	}
	return append(append(claims, outageClaims()...), guardClaims()...)
}

// rolledBackOnTheWay spends a quarter of half an hour at each of four weights.
func rolledBackOnTheWay(rng *rand.Rand, w world) bool {
	r, err := New(w.params())
	if err != nil {
		panic(err)
	}
	for k := range halfHour {
		w.weight = []float64{0.01, 0.05, 0.2, 0.5}[4*k/halfHour]
		l := w.look(rng, k)
		l.NewWeight = k%(halfHour/4) == 0
		if err := r.Observe(l); err != nil {
			panic(err)
		}
		if d, err := r.Decide(Question{}); err != nil || d.Action == Rollback {
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
		run: func(rng *rand.Rand) outcome { return outcome{wrong: outage.rolledBack(rng, 400) > 0} },
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
	r, err := New(w.params())
	if err != nil {
		panic(err)
	}
	for k := range 30 {
		l := w.look(rng, k)
		n := l.Stable[0].Counts[0].Requests
		l.Again = []Counts{{n, binomial(rng, n, at(0.6)(k))}}
		if err := r.Observe(l); err != nil {
			panic(err)
		}
		if d, err := r.Decide(Question{}); err != nil || d.Action == Rollback {
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
			run: func(rng *rand.Rand) outcome { return outcome{wrong: w.rolledBack(rng, halfHour) > 0} },
		})
	}
	return claims
}

// bursts adds 20 bad requests to a pod's look, so many times in an hour of each pod: one of the canary, nine of stable.
func bursts(rng *rand.Rand, hourly float64) bool {
	w := ordinary(0.001, 0.001)
	w.stablePods = 9
	r, err := New(w.params())
	if err != nil {
		panic(err)
	}
	for k := range halfHour {
		l := w.look(rng, k)
		for _, p := range append(l.Stable, l.Canary...) {
			if rng.Float64() < hourly*lookSeconds/3600 {
				p.Counts[0] = p.Counts[0].plus(Counts{20, 20})
			}
		}
		if err := r.Observe(l); err != nil {
			panic(err)
		}
		if d, err := r.Decide(Question{}); err != nil || d.Action == Rollback {
			return true
		}
	}
	return false
}

// speedClaims say how long a verdict takes. A look counts in full.
func speedClaims() []claim {
	turnsBad := func(name string, after, pods, signals int, rate, median float64) claim {
		w := ordinary(0.001, 0)
		w.pods, w.signals = pods, signals
		w.canary = func(k, _ int) float64 {
			if k >= after {
				return rate
			}
			return 0.001
		}
		return claim{name: name, short: 31, full: 2000, median: median, run: func(rng *rand.Rand) outcome {
			at := w.rolledBack(rng, after+300)
			if at == 0 {
				return outcome{seconds: math.Inf(1)}
			}
			return outcome{seconds: float64(lookSeconds * (at - after))}
		}}
	}
	good := func(name string, base float64, requests int64, median float64) claim {
		w := ordinary(base, base)
		w.requests = requests
		return claim{name: name, short: 15, full: 1000, median: median, run: func(rng *rand.Rand) outcome {
			at := w.promoted(rng, 1, 900)
			if at == 0 {
				return outcome{seconds: math.Inf(1)}
			}
			return outcome{seconds: float64(lookSeconds * at)}
		}}
	}
	return []claim{
		turnsBad("10 % bad", 0, 1, 1, 0.1, 10),
		turnsBad("10 % bad, two pods", 0, 2, 1, 0.1, 10),
		turnsBad("10 % bad in one of three signals", 0, 1, 3, 0.1, 10),
		turnsBad("10 % bad after 10 good minutes", 300, 1, 1, 0.1, 15),
		turnsBad("all bad", 0, 1, 1, 1, 3),
		turnsBad("all bad after 10 good minutes", 300, 1, 1, 1, 4),
		good("a good canary to all traffic, base 0.1 %", 0.001, 200, 90),
		good("a good canary to all traffic, base 1 %", 0.01, 200, 180),
		good("a good canary to all traffic, base 0.1 %, 10 requests a second", 0.001, 20, 600),
	}
}
