package verdict

import (
	"math"
	"math/rand/v2"
)

// lookSeconds is how long a simulated look lasts.
const lookSeconds = 2

// halfHour is its number of looks.
const halfHour = 1800 / lookSeconds

// A world makes looks: so many requests a look, split by weight, over so many canary pods.
type world struct {
	requests int64
	weight   float64
	// stable is the share of bad answers at a look, canary that of pod q of the canary.
	stable func(look int) float64
	canary func(look, q int) float64
	// pods is the number of the canary's pods, stablePods that of stable's.
	pods, stablePods int
	// parts is the number of parts that the canary's work comes in, and then canary is the share of bad answers in each of them;
	// 0 where they are not known. One pod has all of them.
	parts int
	// signals is how many there are; the canary is bad by the first alone.
	signals int
	// alone says that there is no stable: the canary has all requests.
	alone bool
}

func ordinary(stable, canary float64) world {
	return world{
		requests: 200, weight: 0.1, pods: 1, stablePods: 1, signals: 1,
		stable: func(int) float64 { return stable },
		canary: func(int, int) float64 { return canary },
	}
}

func (w world) look(rng *rand.Rand, k int) Look {
	rate := func(q, i int) float64 {
		if i > 0 {
			return w.stable(k)
		}
		return w.canary(k, q)
	}
	if w.alone {
		return Look{Canary: w.spread(rng, w.requests, w.pods, rate)}
	}
	canary := binomial(rng, w.requests, w.weight)
	l := Look{
		Canary: w.spread(rng, canary, max(w.pods, w.parts), rate),
		Stable: w.spread(rng, w.requests-canary, w.stablePods, func(int, int) float64 { return w.stable(k) }),
	}
	if w.parts > 0 {
		l.Parts, l.Canary = l.Canary, []Pod{{Name: "a", Counts: w.summed(l.Canary)}}
	}
	return l
}

func (w world) summed(parts []Pod) []Counts {
	var counts []Counts
	for i := range w.signals {
		counts = append(counts, sum(of(parts, i)))
	}
	return counts
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
	params.Alone = w.alone
	for i := 1; i < w.signals; i++ {
		params.Signals = append(params.Signals, Signal{Name: string(rune('a' + i)), Tolerance: 1.5, Objective: 0.01})
	}
	return params
}

func (w world) begin() *Release { return must(New(w.params())) }

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// observed adds a look and decides.
func observed(r *Release, l Look, weight float64) Decision {
	if err := r.Observe(l); err != nil {
		panic(err)
	}
	return must(r.Decide(Question{Weight: weight}))
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

// rolledBack looks on so many times, and says whether the canary was taken back.
func (w world) rolledBack(rng *rand.Rand, looks int) bool {
	at, _ := w.rollback(rng, 0, looks)
	return at > 0
}

// rollback says at which look, from 1 on, the canary was taken back, 0 if it was not, and how many requests it had answered
// badly until then, from look after on.
func (w world) rollback(rng *rand.Rand, after, looks int) (at int, failed float64) {
	r := w.begin()
	for k := range looks {
		l := w.look(rng, k)
		if k >= after {
			failed += float64(sum(of(l.Canary, 0)).Bad)
		}
		if observed(r, l, 0).Action == Rollback {
			return k + 1, failed
		}
	}
	return 0, failed
}

// promoted goes through the steps from weight 0.01 on until the weight asked for is given or the looks are over; without
// rollback, nothing speaks against the canary. It returns the looks that it took, 0 if it was not given.
func (w world) promoted(rng *rand.Rand, to float64, looks int, rollback bool) int {
	r := w.begin()
	w.weight = 0.01
	next, since := 0, 0
	for k := range looks {
		l := w.look(rng, k)
		l.NewWeight = since == 0
		since++
		coming := r.State().Params.Weights[next]
		d := observed(r, l, coming)
		if since*lookSeconds < 10 {
			continue
		}
		if rollback && d.Action != Promote || !rollback && r.Promotion(0, next).LogE() < -math.Log(0.05) {
			continue
		}
		if coming >= to {
			return k + 1
		}
		w.weight, next, since = coming, next+1, 0
	}
	return 0
}
