package evidence

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"movieexample.com/fleet/controllers/fleetservice/signals"
	"movieexample.com/fleet/controllers/fleetservice/verdict"
)

const (
	// mostSplit bounds of how many partitions counts are kept apart: the page that tells of them may be hostile, and they are
	// saved.
	mostSplit = 4096
	// telling is how many bad events are to be expected of a canary's other partitions before they say by showing fewer that
	// one partition is the fault.
	telling = 5
	// enoughBeside is how many events of a partition stable has to have ended since the release began, to speak for how the
	// partition is now.
	enoughBeside = 100
)

// split holds counts by partition.
type split map[int32]row

func (s *split) add(d split) {
	for number, r := range d {
		sum, there := (*s)[number]
		if !there && len(*s) >= mostSplit {
			continue
		}
		if *s == nil {
			*s = split{}
		}
		sum.add(r)
		(*s)[number] = sum
	}
}

// of sums signal i over partitions.
func (s split) of(i int, numbers []int32) verdict.Counts {
	var sum verdict.Counts
	for _, number := range numbers {
		c := s[number].at(i)
		sum.Requests, sum.Bad = sum.Requests+c.Requests, sum.Bad+c.Bad
	}
	return sum
}

func (s split) numbers() []int32 { return slices.Sorted(maps.Keys(s)) }

// splitOf is what a page says by partition; nil where it does not.
func (b *Book) splitOf(said map[string]map[int32]signals.Total) split {
	if said == nil {
		return nil
	}
	s := split{}
	for i, signal := range b.release.Params.Signals {
		for number, t := range said[signal.Name] {
			if t.Requests == 0 || (s[number] == nil && len(s) >= mostSplit) {
				continue
			}
			if s[number] == nil {
				s[number] = make(row, len(b.release.Params.Signals))
			}
			s[number][i] = verdict.Counts{Requests: t.Requests, Bad: t.Bad}
		}
	}
	return s
}

// divided are the differences by partition of what a pod counted in all. Where its series do not add up to that, some of it
// belongs to no partition, but never to more than there is.
func divided(whole row, then, now split) split {
	left, d := slices.Clone(whole), split{}
	for _, number := range now.numbers() {
		r := make(row, len(whole))
		for i := range r {
			from, to := then[number].at(i), now[number].at(i)
			if to.Requests < from.Requests {
				from = verdict.Counts{}
			}
			bad := min(max(to.Bad-from.Bad, 0), left[i].Bad)
			good := min(max(to.Requests-from.Requests-bad, 0), left[i].Requests-left[i].Bad)
			r[i] = verdict.Counts{Requests: bad + good, Bad: bad}
			left[i] = verdict.Counts{Requests: left[i].Requests - bad - good, Bad: left[i].Bad - bad}
		}
		if slices.ContainsFunc(r, func(c verdict.Counts) bool { return c.Requests > 0 }) {
			d[number] = r
		}
	}
	return d
}

// besides is what stable's pods counted by partition.
type besides struct {
	// Ever is since their processes began, Beside since the release did.
	Ever   split `json:"ever,omitempty"`
	Beside split `json:"beside,omitempty"`
}

// of are the counts that speak for partitions: those beside the release, where they are enough.
func (h besides) of(i int, numbers []int32) verdict.Counts {
	if beside := h.Beside.of(i, numbers); beside.Requests >= enoughBeside {
		return beside
	}
	return h.Ever.of(i, numbers)
}

// countSplit takes in what a pod says by partition. What whole is of which partition is known where the page before told too.
func (b *Book) countSplit(p signals.PodReading, base, now *counter, whole row, into *tallies) {
	switch {
	case now.Split == nil:
	case base.Split == nil && p.Revision == b.release.Stable:
		b.state.History.Ever.add(now.Split)
	case base.Split == nil:
	case p.Revision == b.release.Stable:
		d := divided(whole, base.Split, now.Split)
		b.state.History.Ever.add(d)
		b.state.History.Beside.add(d)
	case p.Revision == b.release.Canary:
		into.addPart(p.Name, divided(whole, base.Split, now.Split))
	}
}

func (t *tallies) addPart(pod string, d split) {
	if t.Parts == nil {
		t.Parts = map[string]split{}
	}
	sum := t.Parts[pod]
	sum.add(d)
	t.Parts[pod] = sum
}

// movePart takes what a pod counted by partition away and gives it to other tallies.
func (t *tallies) movePart(pod string, to *tallies) {
	if s, there := t.Parts[pod]; there {
		to.addPart(pod, s)
		delete(t.Parts, pod)
	}
}

// parted are the canary's counts by partition.
func (t tallies) parted() split {
	var all split
	for _, s := range t.Parts {
		all.add(s)
	}
	return all
}

// parts lists the canary's partitions for a look, those of earlier looks too; none where stable reads the same.
func (b *Book) parts(t tallies) []verdict.Pod {
	if b.release.Along {
		return nil
	}
	now := t.parted()
	known := slices.Collect(maps.Keys(now))
	for number := range b.state.Parts {
		known = append(known, number)
	}
	slices.Sort(known)
	var list []verdict.Pod
	for _, number := range slices.Compact(known) {
		list = append(list, verdict.Pod{Name: strconv.Itoa(int(number)), Counts: now[number].filled(len(b.release.Params.Signals))})
	}
	return list
}

// rest settles a conviction that rests on partitions: whether their data may be the fault, which would be so in whoever reads
// them. The words say why they may; without any, the decision stands.
func (b *Book) rest(d verdict.Decision, ask verdict.Question) (verdict.Decision, string) {
	i := b.index(d.Signal)
	numbers, bad := b.suspects(d.Parts, i)
	there, all := b.state.Parts.of(i, numbers), b.state.Parts.of(i, b.state.Parts.numbers())
	others := verdict.Counts{Requests: all.Requests - there.Requests, Bad: all.Bad - there.Bad}
	if expected := float64(others.Requests) * float64(there.Bad) / float64(max(there.Requests, 1)); expected >= telling {
		return d, fmt.Sprintf("it rests on %s alone, %s there and %s in the others that it reads: the data may be the fault, see what was dead-lettered",
			bad, badOf(there), badOf(others))
	}
	before := b.state.History.of(i, numbers)
	if before.Bad > 0 && b.release.Params.Signals[i].Worse(there, before) < clearBelow {
		return d, fmt.Sprintf("it rests on %s alone, %s there, where the stable revision had %s: the data may be the fault, see what was dead-lettered",
			bad, badOf(there), badOf(before))
	}
	ask.Good = append(ask.Good, d.Parts...)
	settled, err := b.verdict.Decide(ask)
	if err != nil { // the same was asked before
		return d, err.Error()
	}
	return settled, ""
}

// suspects are the partitions by their names, and in words those of them that had bad events.
func (b *Book) suspects(names []string, signal int) (numbers []int32, words string) {
	var bad []string
	for _, name := range names {
		number, err := strconv.ParseInt(name, 10, 32)
		if err != nil { // no name that this package gave
			continue
		}
		numbers = append(numbers, int32(number))
		if b.state.Parts[int32(number)].at(signal).Bad > 0 {
			bad = append(bad, name)
		}
	}
	if len(bad) == 1 {
		return numbers, "partition " + bad[0]
	}
	return numbers, "partitions " + strings.Join(bad, ", ")
}

func (s split) check(signals int) error {
	if len(s) > mostSplit {
		return fmt.Errorf("%d partitions", len(s))
	}
	for number, r := range s {
		if err := checkRow(r, signals); err != nil {
			return fmt.Errorf("partition %d: %w", number, err)
		}
	}
	return nil
}
