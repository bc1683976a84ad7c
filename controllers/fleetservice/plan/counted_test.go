package plan_test

import (
	"fmt"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/fleetservice/plan"
	"movieexample.com/fleet/controllers/fleetservice/verdict"
)

// lookEvery is how many seconds of the world are one look.
const lookEvery = 2

// counted is what callers of a world have counted of one release: exactly the expected numbers, without chance, so that a
// story reads the same each time. The verdicts on them are the real ones.
type counted struct {
	release        *verdict.Release
	canary, stable tally   // of the open look
	parts          []tally // of a consumer's canary, by partition
	sums           [2]tally
	at             plan.Split
	requests       float64 // since the step began
	seconds        int
	newWeight      bool
	alone          bool
	began          plan.Part
}

type tally struct{ all, bad float64 }

func (t *tally) add(requests, share float64) { t.all += requests; t.bad += requests * share }

// take is the whole requests of a tally; what is left of them stays.
func (t *tally) take() verdict.Counts {
	c := verdict.Counts{Requests: int64(t.all + 1e-9), Bad: int64(t.bad + 1e-9)}
	t.all -= float64(c.Requests)
	t.bad -= float64(c.Bad)
	return c
}

// trial is the revision that is judged, and the one beside it.
func trial(s plan.State) (canary plan.Part, stable string) {
	if s.Canary.Hash != "" {
		return s.Canary, s.Stable.Hash
	}
	return s.Stable, s.Previous.Hash
}

// count lets a second of requests happen.
func (w *world) count() {
	canary, stable := trial(w.state)
	if w.policy.Partitions > 0 {
		w.split = w.members(canary.Hash, stable)
		w.track()
	}
	at, along := w.split, w.state.ReadsAlong() && w.readyPods(canary.Hash) > 0
	if along { // both read all
		at = plan.Split{Main: stable, Other: canary.Hash, Percent: 50}
	}
	if stable == "" || w.rate == 0 || w.replicas == 0 || w.waits[canary.Hash] != "" {
		return
	}
	c := w.counted
	if c == nil || c.began.Hash != canary.Hash || c.began.Trial != canary.Trial {
		alone := plan.Alone(plan.Observation{State: w.state, Policy: w.policy})
		c = &counted{release: newRelease(w, alone), began: canary, alone: alone}
		w.counted = c
	}
	if c.at != at {
		c.look()
		c.at, c.requests, c.newWeight = at, 0, true
	}
	c.requests += w.rate
	w.countParts(c, canary.Hash)
	share := map[string]float64{w.split.Main: 1 - float64(w.split.Percent)/100, w.split.Other: float64(w.split.Percent) / 100}
	if along {
		share[stable], share[canary.Hash] = 1, 1
	}
	for hash, into := range map[string][2]*tally{canary.Hash: {&c.canary, &c.sums[0]}, stable: {&c.stable, &c.sums[1]}} {
		into[0].add(w.rate*share[hash], w.fails[hash])
		into[1].add(w.rate*share[hash], w.fails[hash])
	}
	if c.seconds++; c.seconds%lookEvery == 0 {
		c.look()
	}
}

// countParts counts by partition where the data of one of them, which the canary has, are bad in whoever reads them.
func (w *world) countParts(c *counted, canary string) {
	percent := w.split.Percent
	if w.split.Main == canary {
		percent = 100 - percent
	}
	if w.poison == 0 || percent == 0 {
		return
	}
	each := w.rate / float64(w.policy.Partitions)
	if n := int(percent*w.policy.Partitions+50) / 100; len(c.parts) < n {
		c.parts = append(c.parts, make([]tally, n-len(c.parts))...)
	}
	for q := range c.parts {
		c.parts[q].add(each, w.fails[canary])
	}
	c.parts[0].bad += each * w.poison
	c.sums[0].bad += each * w.poison
}

// takeParts are the counts of a look by partition, and their sum.
func (c *counted) takeParts() (parts []verdict.Pod, sum verdict.Counts) {
	for q := range c.parts {
		n := c.parts[q].take()
		parts = append(parts, verdict.Pod{Name: fmt.Sprint(q), Counts: []verdict.Counts{n}})
		sum.Requests, sum.Bad = sum.Requests+n.Requests, sum.Bad+n.Bad
	}
	return parts, sum
}

func newRelease(w *world, alone bool) *verdict.Release {
	var weights []float64
	for _, percent := range plan.Weights(w.policy) {
		weights = append(weights, float64(percent)/100)
	}
	release, err := verdict.New(verdict.Params{
		Signals: []verdict.Signal{{Name: "errors", Tolerance: 1.5, Objective: 0.01}},
		Weights: weights, FalseRollback: 0.01, FalsePromote: 0.05, Alone: alone,
	})
	if err != nil {
		panic(err)
	}
	return release
}

func (c *counted) look() {
	look := verdict.Look{
		Canary:    []verdict.Pod{{Name: "callers", Counts: []verdict.Counts{c.canary.take()}}},
		Stable:    []verdict.Pod{{Name: "callers", Counts: []verdict.Counts{c.stable.take()}}},
		NewWeight: c.newWeight,
	}
	if c.alone {
		look.Stable = nil
	}
	if len(c.parts) > 0 { // their shares in percent are not whole partitions
		look.Parts, look.Canary[0].Counts[0] = c.takeParts()
	}
	if err := c.release.Observe(look); err != nil {
		panic(err)
	}
	c.newWeight = false
}

// evidence is what the planner hears of it.
func (w *world) evidence(o plan.Observation) plan.Evidence {
	if w.blind != "" {
		return plan.Evidence{Reason: v1alpha1.ReasonBlind, Message: w.blind}
	}
	canary, stable := trial(w.state)
	c := w.counted
	if c == nil || stable == "" || c.began.Hash != canary.Hash {
		return plan.Evidence{Clear: true, Message: "nothing was counted yet"}
	}
	e := plan.Evidence{Requests: int64(c.requests), Clear: c.release.LogE() < 2.302, Suspicion: w.suspicion(c)}
	weight := 0.0
	if w.state.Percent > 0 || w.state.ReadsAlong() {
		weight = float64(plan.Asked(o)) / 100
	}
	d, err := c.release.Decide(verdict.Question{Weight: weight, Early: plan.Early(o)})
	if err != nil {
		panic(err)
	}
	e.Message = fmt.Sprintf("%d of %d bad against %d of %d: %s", int(c.sums[0].bad), int(c.sums[0].all), int(c.sums[1].bad), int(c.sums[1].all), d)
	switch d.Action {
	case verdict.Rollback:
		e.Verdict, e.Reason = plan.Worse, v1alpha1.ReasonWorse
	case verdict.Promote:
		e.Verdict = plan.Harmless
	case verdict.Hold:
		e.Reason = map[verdict.Reason]string{verdict.Suspicious: v1alpha1.ReasonSuspicious, verdict.OnePod: v1alpha1.ReasonOnePod, verdict.OnePart: v1alpha1.ReasonOnePartition}[d.Reason]
	}
	return e
}

// suspicion stands for the detector of the bake: anything that fails much more than the objective.
func (w *world) suspicion(*counted) string {
	rate := w.fails[w.state.Stable.Hash] + w.poison/float64(max(1, w.policy.Partitions))
	if w.state.Previous.Hash != "" && rate >= 0.05 {
		return fmt.Sprintf("%.0f %% of the answers fail since the switch", 100*rate)
	}
	return ""
}
