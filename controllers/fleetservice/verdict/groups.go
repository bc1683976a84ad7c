package verdict

import (
	"maps"
	"slices"
)

// maxGroups bounds the processes that run without a part of the canary: up to four pods each is a group of its own.
const maxGroups = 4

// regroup gives each pod a group. A pod keeps its group as long as it lives; a new one takes the group with the fewest pods,
// which is that of the pod that it replaces.
func regroup(before map[string]int, pods []Pod) map[string]int {
	groups := make(map[string]int, len(pods))
	var size [maxGroups]int
	var added []string
	for _, p := range pods {
		g, known := before[p.Name]
		if !known {
			added = append(added, p.Name)
			continue
		}
		groups[p.Name] = g
		size[g]++
	}
	slices.Sort(added)
	for _, name := range added {
		g := slices.Index(size[:], slices.Min(size[:]))
		groups[name] = g
		size[g]++
	}
	return groups
}

// used is the number of groups that a process has to run without.
func used(groups map[string]int, before int) int {
	for g := range maps.Values(groups) {
		before = max(before, g+1)
	}
	return before
}

// grouped are the counts of signal i by group.
func grouped(list []Pod, i int, groups map[string]int, before int) []Counts {
	sums := make([]Counts, used(groups, before))
	for _, p := range list {
		g := groups[p.Name]
		sums[g] = sums[g].plus(p.Counts[i])
	}
	return sums
}

// without are the processes after a look, each without one group's requests. A group's first look starts from the process of
// the whole canary, of which it was no part until then. whole are the increments of the whole canary.
func (s SignalState) without(before []Process, signal Signal, e evidence, whole []float64, groups []Counts) []Process {
	if len(groups) == 0 {
		return nil
	}
	next := make([]Process, len(groups))
	for g, part := range groups {
		p := s.Rollback
		if g < len(before) {
			p = before[g]
		}
		logs := whole
		if part.Requests > 0 {
			rest := e
			rest.canary = e.canary.minus(part)
			logs = rest.guarded(signal)
		}
		next[g] = p.next(e.share, logs)
	}
	return next
}
