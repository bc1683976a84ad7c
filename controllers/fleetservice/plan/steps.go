package plan

import "slices"

// all is every request, in percent.
const all = 100

// step is a share of requests and the pods that it takes.
type step struct {
	percent, pods int32
	// last is true of the promotion.
	last bool
}

// steps are those of a rollout, the last with all requests. Where requests are split by pods, shares are what so many
// pods come to, steps that come to the same are one, and the last before 100 is half: all pods of both revisions.
func steps(p Policy, replicas int32) []step {
	var list []step
	for _, percent := range p.Steps {
		list = append(list, step{percent: percent, pods: podsFor(percent, replicas)})
	}
	if p.Coarse && replicas > 0 && len(p.Steps) > 0 {
		list = coarse(p.Steps, replicas)
	}
	if p.consumes() && replicas > 0 {
		list = consumerSteps(p, replicas)
	}
	return append(list, step{all, replicas, true})
}

// podsFor is the number of pods that a share takes: one pod of a large service could not be told from its revision.
func podsFor(percent, replicas int32) int32 {
	least := int32(1)
	if replicas >= 4 {
		least = 2
	}
	return min(replicas, max(least, (replicas*percent+all-1)/all))
}

func coarse(percents []int32, replicas int32) []step {
	var list []step
	last := int32(0)
	for _, percent := range append(append([]int32{}, percents...), all/2) {
		rest := max(1, all-percent)
		pods := min(replicas, max(1, (replicas*percent+rest/2)/rest))
		if pods > last {
			list, last = append(list, step{percent: (all*pods + (replicas+pods)/2) / (replicas + pods), pods: pods}), pods
		}
	}
	return list
}

// next is the step after the canary's present share.
func next(o Observation) step {
	if o.State.Stable.Hash == "" || o.Replicas == 0 || deadStable(o) {
		return step{all, o.Replicas, true}
	}
	for _, s := range steps(o.Policy, o.Replicas) {
		if s.percent > o.State.Percent {
			return s
		}
	}
	return step{all, o.Replicas, true}
}

// Weights are the shares, in percent, that evidence is gathered for: those after the first, the last 100. They do not
// depend on the number of pods, which may change during a rollout.
func Weights(p Policy) []int32 {
	if p.consumes() {
		return consumerWeights()
	}
	var percents []int32
	for i, percent := range p.Steps {
		if i > 0 {
			percents = append(percents, percent)
		}
	}
	if p.Coarse && !slices.Contains(percents, all/2) {
		percents = append(percents, all/2)
		slices.Sort(percents)
	}
	return append(percents, all)
}

// Asked is the share that evidence is asked for: the least of Weights that is no smaller than the canary's next. What is
// harmless at a larger share is so at a smaller one.
func Asked(o Observation) int32 {
	for _, percent := range Weights(o.Policy) {
		if percent >= next(o).percent {
			return percent
		}
	}
	return all
}

// NextPercent is the share that the canary is to get next.
func NextPercent(o Observation) int32 { return next(o).percent }

// canaryPods is how many pods the canary is to have: those of its next share, so that they are ready when it comes.
// Where shares are made by pods they must not come before. Pods that are there stay while the rollout lasts.
func canaryPods(o Observation) int32 {
	if o.Policy.consumes() {
		return consumerCanaryPods(o)
	}
	pods := next(o).pods
	if o.Policy.Coarse && o.State.Percent > 0 && !deadStable(o) {
		for _, s := range steps(o.Policy, o.Replicas) {
			if s.percent == o.State.Percent {
				pods = s.pods
			}
		}
	}
	return max(pods, min(o.Replicas, o.Revisions[o.State.Canary.Hash].Wanted))
}

// keptPods is how many pods a revision that serves is to have. During a rollout and its bake more pods come at once, and
// fewer wait: a verdict must not be about a change of scale.
func keptPods(o Observation, hash string) int32 {
	if o.Policy.consumes() {
		return consumerPods(o, hash)
	}
	if o.State.Percent > 0 || o.State.Previous.Hash != "" {
		return max(o.Replicas, o.Revisions[hash].Wanted)
	}
	return o.Replicas
}

// Wanted is where requests are to go now. A revision without a ready pod gets none: its share goes to the other one
// until it has.
func Wanted(o Observation) Split {
	s := o.State
	switch {
	case s.Stable.Hash == "":
		return Split{}
	case s.Canary.Hash != "" && s.Percent > 0:
		return beside(o, s.Canary.Hash, s.Percent)
	case s.Previous.Hash != "" && !s.Asking.IsZero():
		return beside(o, s.Previous.Hash, all/2)
	}
	return Split{Main: s.Stable.Hash}
}

func beside(o Observation, other string, percent int32) Split {
	if o.Revisions[other].Ready == 0 {
		return Split{Main: o.State.Stable.Hash}
	}
	return Split{Main: o.State.Stable.Hash, Other: other, Percent: percent}
}
