package evidence

import (
	"math/bits"

	"movieexample.com/fleet/controllers/fleetservice/verdict"
)

// Callers see what servers are blind to, such as hangs and refused connections. They are believed from the look on in which
// they counted 80 % of the requests that stable's own pods counted, and until they count less than 65 %; earlier looks have
// a say that fades by a fifth a look, so that the source does not flip. Stable's requests alone decide it, bad or not: a
// canary has no say in who judges it. During the bake stable has no requests, and the new revision's decide.
const (
	preferFrom  = 0.8
	preferUntil = 0.65
	fade        = 0.8
)

// source says who is believed about the open look.
func (b *Book) source() source {
	t := b.state.Open.Together
	known, owned := b.covered(t)
	known, owned = known+b.state.Known, owned+b.state.Owned
	if known+owned == 0 {
		return b.state.Source
	}
	bound := preferFrom
	if b.state.Source == callers {
		bound = preferUntil
	}
	if known > 0 && known >= bound*owned {
		return callers
	}
	return servers
}

// covered are the requests that callers and that pods counted of the revision that serves.
func (b *Book) covered(t tallies) (known, owned float64) {
	calledCanary, called := t.requests(callers)
	ownCanary, own := t.requests(servers)
	if b.state.Position.Percent == all || b.release.Params.Alone {
		called, own = calledCanary, ownCanary
	}
	return float64(called), float64(own)
}

// prefer remembers who was believed in a look, and why.
func (b *Book) prefer(t tallies, by source) {
	known, owned := b.covered(t)
	b.state.Source = by
	if known+owned > 0 {
		b.state.Known, b.state.Owned = fade*(b.state.Known+known), fade*(b.state.Owned+owned)
		b.state.Called = t.Called
	}
}

// byCallers says whether callers are believed about signal i.
func (b *Book) byCallers(i int) bool {
	return b.state.Source == callers && i < len(b.state.Called) && b.state.Called[i]
}

// shareOut gives what callers counted of a revision to its pods, in place of what these counted themselves. Callers know
// revisions and not pods, but it must be seen whether one pod alone is bad. So bad requests go where pods counted bad ones,
// good ones where they counted good ones. Those that no pod counted, such as refused connections and hangs, belong to the
// revision: its pods take turns, from look to look, which is why the sums before matter. What a revision has in all is what
// callers counted, whoever has it: only the question whether it rests on one pod depends on it.
func shareOut(called verdict.Counts, pods []verdict.Pod, signal int, before verdict.Counts) {
	bad, good := make([]int64, len(pods)), make([]int64, len(pods))
	seen := int64(0)
	for q, p := range pods {
		bad[q], good[q] = p.Counts[signal].Bad, p.Counts[signal].Requests-p.Counts[signal].Bad
		seen += bad[q]
	}
	unseen := make([]int64, len(pods))
	if called.Bad >= seen {
		unseen = divide(called.Bad-seen, unseen, before.Bad)
	} else {
		bad = divide(called.Bad, bad, before.Bad)
	}
	good = divide(called.Requests-called.Bad, good, before.Requests)
	for q := range pods {
		x := bad[q] + unseen[q]
		pods[q].Counts[signal] = verdict.Counts{Requests: x + good[q], Bad: x}
	}
}

// divide divides a number in proportion to parts, evenly where all are 0. What is left by rounding goes to one part after
// the other, beginning at the turn's; never to one of 0.
func divide(number int64, parts []int64, turn int64) []int64 {
	whole, takers := int64(0), []int(nil)
	for q, p := range parts {
		whole += p
		if p > 0 {
			takers = append(takers, q)
		}
	}
	shares := make([]int64, len(parts))
	if whole == 0 {
		takers = nil
		for q := range parts {
			takers = append(takers, q)
		}
	}
	left := number
	for q, p := range parts {
		if whole > 0 {
			high, low := bits.Mul64(uint64(number), uint64(p))
			share, _ := bits.Div64(high, low, uint64(whole)) // at most number, since p is at most whole
			shares[q] = int64(share)
			left -= shares[q]
		}
	}
	for k := range takers {
		n := int64(len(takers))
		q := takers[(turn+int64(k))%n]
		extra := (left + n - 1 - int64(k)) / n
		shares[q] += extra
	}
	return shares
}
