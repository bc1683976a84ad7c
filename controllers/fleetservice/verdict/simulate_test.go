package verdict

import (
	"flag"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

var simulated = flag.Float64("simulate", 0, "share of the runs that each claim needs; 1 takes many minutes (make simulate), 0 runs a few")

// lookSeconds is how long a simulated look lasts.
const lookSeconds = 2

// A claim is about releases that differ only by chance: run simulates one of them.
type claim struct {
	name string
	// short and full are the numbers of runs, without -simulate and with -simulate=1.
	short, full int
	// most bounds the share of runs that end badly; median, if set, the median of seconds instead.
	most, median float64
	run          func(*rand.Rand) outcome
}

type outcome struct {
	wrong   bool
	seconds float64
}

func TestSimulateErrors(t *testing.T) { simulate(t, errorClaims()) }

func TestSimulateSpeed(t *testing.T) { simulate(t, speedClaims()) }

func simulate(t *testing.T, claims []claim) {
	for _, c := range claims {
		t.Run(c.name, func(t *testing.T) {
			runs := c.short
			if *simulated > 0 {
				runs = int(math.Ceil(float64(c.full) * *simulated))
			}
			seed := fnv.New64a()
			seed.Write([]byte(c.name))
			wrong := 0
			seconds := make([]float64, runs)
			for i := range runs {
				o := c.run(rand.New(rand.NewPCG(seed.Sum64(), uint64(i))))
				seconds[i] = o.seconds
				if o.wrong {
					wrong++
				}
			}
			slices.Sort(seconds)
			if c.median > 0 {
				t.Logf("median %g s, p90 %g s of %d runs", seconds[runs/2], seconds[runs*9/10], runs)
				if seconds[runs/2] > c.median {
					t.Errorf("median %g s of %d runs, want at most %g s", seconds[runs/2], runs, c.median)
				}
				return
			}
			t.Logf("%d of %d runs wrong (%.2f %%)", wrong, runs, 100*float64(wrong)/float64(runs))
			if limit := chance(runs, c.most); wrong > limit {
				t.Errorf("%d of %d runs wrong, want at most %d: a rate of %g explains no more", wrong, runs, limit, c.most)
			}
		})
	}
}

// chance is the count of wrong runs that a rate exceeds with probability 1e-4 at most.
func chance(runs int, rate float64) int {
	term := math.Pow(1-rate, float64(runs))
	below := term
	k := 0
	for ; below < 1-1e-4 && k < runs; k++ {
		term *= float64(runs-k) / float64(k+1) * rate / (1 - rate)
		below += term
	}
	return k
}

func TestChance(t *testing.T) {
	for _, c := range []struct {
		runs int
		rate float64
		want int
	}{{100, 0.01, 6}, {10_000, 0.01, 139}, {10, 0, 0}} {
		if got := chance(c.runs, c.rate); got != c.want {
			t.Errorf("chance(%d, %g) = %d, want %d", c.runs, c.rate, got, c.want)
		}
	}
}

// A world makes looks: so many requests a look, split by weight, over so many canary pods.
type world struct {
	requests int64
	weight   float64
	// stable is the share of bad answers at a look, canary that of pod q of the canary.
	stable func(look int) float64
	canary func(look, q int) float64
	// pods is the number of the canary's pods, stablePods that of stable's.
	pods, stablePods int
	// signals is how many there are; the canary is bad by the first alone.
	signals int
}

func ordinary(stable, canary float64) world {
	return world{
		requests: 200, weight: 0.1, pods: 1, stablePods: 1, signals: 1,
		stable: func(int) float64 { return stable },
		canary: func(int, int) float64 { return canary },
	}
}

func (w world) look(rng *rand.Rand, k int) Look {
	canary := binomial(rng, w.requests, w.weight)
	return Look{
		Canary: w.spread(rng, canary, w.pods, func(q, i int) float64 {
			if i > 0 {
				return w.stable(k)
			}
			return w.canary(k, q)
		}),
		Stable: w.spread(rng, w.requests-canary, w.stablePods, func(int, int) float64 { return w.stable(k) }),
	}
}

// spread gives each request to one of the pods. Pod q answers it badly, by signal i, with probability rate(q, i).
func (w world) spread(rng *rand.Rand, requests int64, pods int, rate func(q, i int) float64) []Pod {
	var all []Pod
	for q := range pods {
		n := binomial(rng, requests, 1/float64(pods-q))
		requests -= n
		p := Pod{Name: string(rune('a' + q))}
		for i := range w.signals {
			p.Counts = append(p.Counts, Counts{n, binomial(rng, n, rate(q, i))})
		}
		all = append(all, p)
	}
	return all
}

func (w world) params() Params {
	params := errorsOnly()
	for i := 1; i < w.signals; i++ {
		params.Signals = append(params.Signals, Signal{Name: string(rune('a' + i)), Tolerance: 1.5, Objective: 0.01})
	}
	return params
}

// binomial counts n tosses of a coin with rate p, by the gaps between successes.
func binomial(rng *rand.Rand, n int64, p float64) int64 {
	switch {
	case p >= 1:
		return n
	case p <= 0:
		return 0
	case p > 0.5:
		return n - binomial(rng, n, 1-p)
	}
	var count int64
	for at := int64(0); ; count++ {
		at += 1 + int64(math.Log(1-rng.Float64())/math.Log1p(-p))
		if at > n {
			return count
		}
	}
}

// rolledBack looks on so many times, and says at which the canary was taken back; 0 if it was not.
func (w world) rolledBack(rng *rand.Rand, looks int) int {
	r, err := New(w.params())
	if err != nil {
		panic(err)
	}
	for k := range looks {
		if err := r.Observe(w.look(rng, k)); err != nil {
			panic(err)
		}
		if d, err := r.Decide(Question{}); err != nil || d.Action == Rollback {
			return k + 1
		}
	}
	return 0
}

// promoted goes through the steps from weight 0.01 on, with rollback off, until the weight asked for is given or the looks
// are over. It returns the looks that it took, 0 if it was not given.
func (w world) promoted(rng *rand.Rand, to float64, looks int) int {
	r, err := New(w.params())
	if err != nil {
		panic(err)
	}
	w.weight = 0.01
	next, since := 0, 0
	for k := range looks {
		l := w.look(rng, k)
		l.NewWeight = since == 0
		if err := r.Observe(l); err != nil {
			panic(err)
		}
		since++
		if since*lookSeconds < 10 || r.Promotion(0, next).LogE() < -math.Log(0.05) {
			continue
		}
		w.weight = r.State().Params.Weights[next]
		if w.weight >= to {
			return k + 1
		}
		next, since = next+1, 0
	}
	return 0
}
