package verdict

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// history is the number of stable's requests in the ten minutes before a release.
const history = 60_000

// bakeClaims are about what happens after promotion.
func bakeClaims() []claim {
	outage := baked{before: 0.001, stable: 0.05, canary: 0.05, looks: halfHour / 3}
	claims := []claim{{
		name: "rolled back in a bake by a shared outage of 5 %", short: 20, full: 1000, most: 0,
		run: func(rng *rand.Rand) outcome { o := outage.run(rng); o.wrong = !math.IsInf(o.seconds, 1); return o },
	}}
	for _, c := range []struct{ rate, median float64 }{{0.01, 120}, {0.1, 15}, {1, 6}} {
		b := baked{before: 0.001, stable: 0.001, canary: c.rate, looks: halfHour / 3}
		claims = append(claims, claim{
			name: fmt.Sprintf("a new revision turns %g %% bad in its bake", 100*c.rate), short: 21, full: 1000, median: c.median, run: b.run,
		})
	}
	for _, n := range []int64{1000, history} {
		claims = append(claims, claim{
			name: fmt.Sprintf("alert within the tolerance in 10 minutes, %d requests of history", n), short: 20, full: 10_000, most: 0.002,
			run: func(rng *rand.Rand) outcome { return outcome{wrong: alerted(rng, n)} },
		})
	}
	return claims
}

// A baked release has promoted a canary as good as stable; from the start of the bake on stable would answer, and the new
// revision does answer, with other rates.
type baked struct {
	before, stable, canary float64
	looks                  int
}

// run says after how many seconds the new revision was taken back, and how many of these went by until the bake asked the
// first time.
func (b baked) run(rng *rand.Rand) outcome {
	w := ordinary(b.before, b.before)
	r := w.begin()
	for k := range 30 {
		observed(r, w.look(rng, k), 0)
	}
	bake := must(NewBake(w.params(), []Counts{{history, binomial(rng, history, b.before)}}))
	w.stable = func(int) float64 { return b.stable }
	w.canary = func(int, int) float64 { return b.canary }
	var asked float64
	for k := 0; k < b.looks; {
		k++
		if err := bake.Observe([]Counts{{w.requests, binomial(rng, w.requests, b.canary)}}); err != nil {
			panic(err)
		}
		if bake.Ask().Action != Ask {
			continue
		}
		if asked == 0 {
			asked = lookSeconds * float64(k)
		}
		compared, worse := w.compare(rng, r)
		if k += compared; worse {
			return outcome{seconds: lookSeconds * float64(k), asked: asked}
		}
		bake.Answered()
	}
	return outcome{seconds: math.Inf(1), asked: asked}
}

// compare gives stable half of the requests for two minutes at most. It returns the number of looks and whether the canary
// was taken back.
func (w world) compare(rng *rand.Rand, r *Release) (looks int, worse bool) {
	w.weight = 0.5
	for k := range 120 / lookSeconds {
		l := w.look(rng, k)
		l.NewWeight = k == 0
		if observed(r, l, 0).Action == Rollback {
			return k + 1, true
		}
	}
	return 120 / lookSeconds, false
}

// alerted says whether ten minutes of a new revision at the tolerance raise an alert, with so much history of stable.
func alerted(rng *rand.Rand, n int64) bool {
	const base = 0.01
	bake := must(NewBake(errorsOnly(), []Counts{{n, binomial(rng, n, base)}}))
	for range halfHour / 3 {
		if err := bake.Observe([]Counts{{200, binomial(rng, 200, withOdds(base, 1.5))}}); err != nil {
			panic(err)
		}
		if bake.Alert().Action == Alert {
			return true
		}
	}
	return false
}
