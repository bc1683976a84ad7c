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
)

// Policy bounds the number of consumers.
type Policy struct {
	Min, Max, Partitions int32
	// Drain is in which time a backlog is to be worked off.
	Drain time.Duration
}

// bound is n within the policy; more consumers than partitions would be idle.
func (p Policy) bound(n int32) int32 {
	return max(1, min(max(n, p.Min), p.Max, p.Partitions))
}

// Need is how many consumers produce-rate and backlog need, with nothing smoothed. While nobody knows what a consumer takes
// it is what is there.
func Need(p Policy, r Rates, current int32) int32 {
	if r.PerConsumer <= 0 {
		return p.bound(current)
	}
	rate := r.Produced + float64(r.Backlog)/p.Drain.Seconds()
	need := math.Min(rate/r.PerConsumer, math.MaxInt32/2)
	if n := float64(current); need > n && need <= n*enough {
		return p.bound(current)
	}
	return p.bound(int32(math.Ceil(need)))
}

// Scaler smooths what is needed. The zero value has seen nothing; not for concurrent use.
type Scaler struct {
	needs []need
	grew  time.Time
	begun time.Time
}

type need struct {
	at time.Time
	n  int32
}

// Want is how many consumers there are to be. More come at once, at most twice as many and not before the last ones had time
// to show what they do; fewer only when they were enough for five minutes.
func (s *Scaler) Want(now time.Time, p Policy, r Rates, current int32) int32 {
	if s.begun.IsZero() {
		s.begun = now
	}
	wanted := Need(p, r, current)
	s.needs = append(slices.DeleteFunc(s.needs, func(n need) bool { return now.Sub(n.at) >= calm }), need{now, wanted})
	bounded := p.bound(current)
	switch {
	case bounded != current: // the policy or the partitions changed
		return bounded
	case wanted > current && now.Sub(s.grew) >= settle:
		s.grew = now
		return min(wanted, p.bound(2*current))
	case wanted < current && now.Sub(s.begun) >= calm:
		most := slices.MaxFunc(s.needs, func(a, b need) int { return int(a.n - b.n) })
		return min(current, most.n)
	}
	return current
}
