package verdict

import (
	"math"
	"math/rand/v2"
)

// speedClaims say how long a verdict takes, to the closing of its look.
func speedClaims() []claim {
	one := ordinary(0.001, 0)
	two, parts, three, thin, alone := one, one, one, one, one
	two.pods = 2
	parts.parts = 3
	three.signals = 3
	thin.weight = 0.01
	alone.alone, alone.requests = true, 20
	return []claim{
		turnsBad("10 % bad", one, 0, 0.1, 10, 8),
		turnsBad("10 % bad, two pods", two, 0, 0.1, 10, 8),
		turnsBad("10 % bad, three partitions", parts, 0, 0.1, 10, 8),
		turnsBad("10 % bad in one of three signals", three, 0, 0.1, 10, 8),
		turnsBad("10 % bad, nothing to compare with", alone, 0, 0.1, 10, 10),
		turnsBad("10 % bad after 10 good minutes", one, 300, 0.1, 15, 0),
		turnsBad("all bad", one, 0, 1, 3, 0),
		turnsBad("all bad after 10 good minutes", one, 300, 1, 3, 0),
		turnsBad("all bad at weight 1", thin, 0, 1, 6, 0),
		good("a good canary to all traffic, base 0.1 %", 0.001, 200, 90),
		good("a good canary to all traffic, base 1 %", 0.01, 200, 180),
		good("a good canary to all traffic, base 0.1 %, 10 requests a second", 0.001, 20, 600),
	}
}

// turnsBad is about a canary that turns from as good as stable to rate, at any moment of look after.
func turnsBad(name string, w world, after int, rate, median, failed float64) claim {
	return claim{name: name, short: 31, full: 4000, median: median, failed: failed, run: func(rng *rand.Rand) outcome {
		w, phase := w, rng.Float64()
		w.canary = func(k, _ int) float64 {
			switch {
			case k < after:
				return 0.001
			case k == after:
				return phase*0.001 + (1-phase)*rate
			}
			return rate
		}
		at, bad := w.rollback(rng, after, after+300)
		if at == 0 {
			return outcome{seconds: math.Inf(1), failed: bad}
		}
		return outcome{seconds: lookSeconds * (float64(at-after) - phase), failed: bad}
	}}
}

// good is about a canary that is as good as stable, on its way through the steps.
func good(name string, base float64, requests int64, median float64) claim {
	w := ordinary(base, base)
	w.requests = requests
	return claim{name: name, short: 15, full: 1000, median: median, run: func(rng *rand.Rand) outcome {
		at := w.promoted(rng, 1, 900, true)
		if at == 0 {
			return outcome{seconds: math.Inf(1)}
		}
		return outcome{seconds: float64(lookSeconds * at)}
	}}
}
