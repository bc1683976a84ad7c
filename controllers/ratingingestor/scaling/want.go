package scaling

import (
	"math"
	"slices"
	"time"
)

const (
	// calm is for how long fewer consumers must have been enough before some go: each change moves partitions.
	calm = 5 * time.Minute
	// settle is how long consumers that were added are given to show what they do before more are added.
	settle = 30 * time.Second
	// enough is up to which share of what is there a greater need is left alone: rates vary.
	enough = 1.1
	// worth is by how much consumers that were added must have made all faster, if more are to come: else a database or one
	// partition is the limit.
	worth = 1.1
)

// Policy bounds the number of consumers.
type Policy struct {
	Min, Max, Partitions int32
	// Drain is in which time a backlog is to be worked off.
	Drain time.Duration
}

// Bound is n within the policy; more consumers than partitions would be idle.
func (p Policy) Bound(n int32) int32 {
	return max(1, min(max(n, p.Min), p.Max, p.Partitions))
}

// Need is how many consumers produce-rate and backlog need, with nothing smoothed. While nobody knows what a consumer takes
// it is what is there.
func Need(p Policy, r Rates, current int32) int32 {
	if len(r.Capacity) == 0 {
		return p.Bound(current)
	}
	rate := r.Produced + float64(r.Backlog)/p.Drain.Seconds()
	need := r.Capacity.need(rate, p.Bound(math.MaxInt32))
	if need > current && rate <= r.Capacity.of(current)*enough {
		return p.Bound(current)
	}
	return p.Bound(need)
}

// Scaler smooths what is needed. The zero value has seen nothing; not for concurrent use.
type Scaler struct {
	needs []need
	begun time.Time
	// grew is when consumers were added last, to so many that took so much.
	grew time.Time
	from int32
	took float64
}

type need struct {
	at time.Time
	n  int32
}

// Want is how many consumers there are to be. More come at once, at most twice as many, not before the last ones had time to
// show what they do, and not if they made nothing faster; fewer only when they were enough for five minutes.
func (s *Scaler) Want(now time.Time, p Policy, r Rates, current int32) int32 {
	if s.begun.IsZero() {
		s.begun = now
	}
	wanted := Need(p, r, current)
	s.needs = append(slices.DeleteFunc(s.needs, func(n need) bool { return now.Sub(n.at) >= calm }), need{now, wanted})
	bounded := p.Bound(current)
	switch {
	case bounded != current: // the policy or the partitions changed
		return bounded
	case wanted > current && now.Sub(s.grew) >= settle && !s.vain(r, current):
		s.grew, s.from, s.took = now, current, r.Capacity.of(current)
		return min(wanted, p.Bound(2*current))
	case wanted < current && now.Sub(s.begun) >= calm:
		most := slices.MaxFunc(s.needs, func(a, b need) int { return int(a.n - b.n) })
		return min(current, most.n)
	}
	return current
}

// vain is true while the consumers that were added last take hardly more, with those before them, than those did alone, or
// nobody knows yet.
func (s *Scaler) vain(r Rates, current int32) bool {
	if s.from == 0 || s.from >= current {
		return false
	}
	return r.Steady < least || r.Full > 0 && r.Full < s.took*worth
}

// Vain is how many consumers took about as much before the last were added, and how much; 0 where those are of use, or have not
// all begun. More are needed and none is added.
func (s *Scaler) Vain(p Policy, r Rates, current int32) (before int32, took float64) {
	if r.Consumers < current || r.Steady < least || Need(p, r, current) <= current || !s.vain(r, current) {
		return 0, 0
	}
	return s.from, s.took
}
