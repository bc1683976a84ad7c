package plan

import "fmt"

// A consumer's work comes from partitions of a topic, which the members of a group share, each as many as the others.
// Membership is by pods: one that runs reads. So its shares are made by pods, which come with a share and not before it, and
// a revision that is to read nothing has none. There are never more members than partitions: where there is no room for
// another, the canary's take the place of stable's.

// consumes is true where work comes from partitions.
func (p Policy) consumes() bool { return p.Partitions > 0 }

// alone is true where there is one partition, which the canary takes: then nothing is there to compare it with.
func (p Policy) alone() bool { return p.Partitions == 1 }

// work is what revisions are given shares of.
func (p Policy) work() string {
	if p.consumes() {
		return "partitions"
	}
	return "requests"
}

// consumerWeights are the shares that evidence of a consumer is gathered for. Its steps are partitions, which come to
// other shares as pods come and go, and evidence must be for the same ones all the time.
func consumerWeights() []int32 { return []int32{10, 25, 50, 75, all} }

// consumerSteps are the steps of a consumer in partitions, as the pods that have at least so many: one, then half, unless
// the policy says otherwise. Steps that come to the same pods are one. There is no blue-green: both revisions would read.
func consumerSteps(p Policy, replicas int32) []step {
	if p.alone() {
		return []step{{percent: all, pods: 1}}
	}
	wanted := p.Steps
	if len(wanted) == 0 {
		wanted = []int32{1, p.Partitions / 2}
	}
	var list []step
	last := int32(0)
	for _, partitions := range wanted {
		pods := fewest(replicas, p.Partitions, func(pods int32) bool {
			return p.Partitions*pods >= partitions*(pods+besidePods(pods, replicas, p.Partitions))
		})
		if pods > last {
			list, last = append(list, step{percent: shareOf(pods, replicas, p.Partitions), pods: pods}), pods
		}
	}
	return list
}

// readers is the least number of canary pods that have a share, or as many as may be.
func readers(percent, replicas, partitions int32) int32 {
	return fewest(replicas, partitions, func(pods int32) bool { return shareOf(pods, replicas, partitions) >= percent })
}

// fewest is the least number of canary pods that suffice, or as many as may be: no more than replicas, and stable keeps one
// partition at least.
func fewest(replicas, partitions int32, suffice func(pods int32) bool) int32 {
	most := max(1, min(replicas, partitions-1))
	for pods := int32(1); pods < most; pods++ {
		if suffice(pods) {
			return pods
		}
	}
	return most
}

// besidePods is how many stable pods are members beside so many of the canary's.
func besidePods(pods, replicas, partitions int32) int32 {
	return max(1, min(replicas, partitions-pods))
}

// shareOf is what so many canary pods have of all partitions, in percent.
func shareOf(pods, replicas, partitions int32) int32 {
	members := pods + besidePods(pods, replicas, partitions)
	return min(all-1, (all*pods+members/2)/members)
}

// membersWanted is how many members are asked for; during a rollout more come at once, and fewer wait.
func membersWanted(o Observation) int32 {
	if o.State.Percent > 0 || !o.State.Asking.IsZero() {
		return min(o.Policy.Partitions, max(o.Replicas, o.Revisions[o.State.Stable.Hash].Wanted))
	}
	return o.Replicas
}

// consumerCanaryPods is how many pods a consumer's canary has: those of its present share, or a shadow before that. With one partition its pod
// comes before stable's goes, and is idle until then: a canary that never starts leaves the partition read.
func consumerCanaryPods(o Observation) int32 {
	s := o.State
	switch {
	case s.Stable.Hash == "":
		return o.Replicas
	case s.asShadow():
		return min(1, o.Replicas)
	case s.Percent == 0:
		return 0
	case o.Policy.alone():
		return min(1, o.Replicas)
	}
	return readers(s.Percent, membersWanted(o), o.Policy.Partitions)
}

// consumerPods is how many pods a consumer's stable or previous revision has. The previous one is not kept warm, since it
// would read: it comes back for a comparison, and when it is stable again.
func consumerPods(o Observation, hash string) int32 {
	s, members := o.State, membersWanted(o)
	if hash == s.Previous.Hash {
		if s.Asking.IsZero() {
			return 0
		}
		return readers(all/2, members, o.Policy.Partitions)
	}
	others := int32(0)
	switch {
	case members == 0:
		return 0
	case s.Canary.Hash != "" && s.Percent > 0 && o.Policy.alone():
		if o.Revisions[s.Canary.Hash].Ready > 0 {
			return 0
		}
	case s.Canary.Hash != "" && s.Percent > 0:
		others = consumerCanaryPods(o)
	case s.Previous.Hash != "" && !s.Asking.IsZero():
		others = readers(all/2, members, o.Policy.Partitions)
	}
	return besidePods(others, members, o.Policy.Partitions)
}

// shared is true when the members are those of the present share: whoever is to have joined is there, and whoever is to
// have left is gone.
func shared(o Observation) bool {
	s := o.State
	for _, p := range []Part{s.Stable, s.Previous} {
		if p.Hash != "" && o.Revisions[p.Hash].Pods > consumerPods(o, p.Hash) {
			return false
		}
	}
	switch other := Wanted(o).Other; other {
	case "":
		return true
	case s.Previous.Hash:
		return o.Revisions[other].Ready >= consumerPods(o, other)
	default:
		return o.Revisions[other].Ready >= consumerCanaryPods(o)
	}
}

// joining is true while a consumer's canary that was given a share does not have it yet.
func joining(o Observation) bool {
	return o.Policy.consumes() && o.State.Percent > 0 && o.State.Stable.Hash != "" && o.State.Traffic.Other != o.State.Canary.Hash
}

// down is true when a revision that is to have pods has none that is ready.
func down(o Observation, hash string) bool {
	if o.Policy.consumes() && keptPods(o, hash) == 0 {
		return false
	}
	return o.Replicas > 0 && o.Revisions[hash].Ready == 0
}

// told says where work goes.
func (p Policy) told(s Split) string {
	switch {
	case !p.consumes():
		return "requests go " + s.String()
	case s.Other == "":
		return "partitions are read by " + s.Main
	}
	return fmt.Sprintf("partitions are read by %s, about %d %% of them by %s", s.Main, s.Percent, s.Other)
}

// moving says where work is on its way to.
func (p Policy) moving(s Split) string {
	if !p.consumes() {
		return "requests move " + s.String()
	}
	return "members change: " + p.told(s)
}

// sentTo says what a first revision still waits for.
func sentTo(o Observation) string {
	if o.Policy.consumes() {
		return o.State.Stable.Hash + " joins the group"
	}
	return "requests are sent to " + o.State.Stable.Hash
}
