package eject

import (
	"sync"
	"time"
)

const (
	// In a row: that many bad calls, and nothing good in between.
	leastInARow = 5
	// Or among the last calls: so many at least, and half of them bad.
	leastCalls = 10
	mostBad    = 0.5

	// An ejected instance is tried by single calls after some time, which doubles with each ejection. So many good ones
	// in a row bring it back. Single ones, since an instance that hangs would else collect calls until the first of
	// them is over.
	firstTime   = 10 * time.Second
	longestTime = time.Minute
	goodToStay  = 3
	// remember is how long an instance must do well until its next ejection is a first one again.
	remember = 5 * time.Minute
)

// Group is the instances of one service. Each is compared with those of its own revision only: a revision that is bad as a
// whole must show, or its verdict would be one on the instances that happen to be well.
type Group struct {
	mu      sync.Mutex
	members map[string]*Member
}

// NewGroup makes a group without instances.
func NewGroup() *Group { return &Group{members: map[string]*Member{}} }

// Candidate is an instance that can take calls.
type Candidate struct {
	Address  string
	Revision string // "" if nobody has told
}

// Set says which instances can take calls, and returns them in the same order. What is known of an instance lasts while
// it is in the list or, for a connection that broke, in keep.
func (g *Group) Set(list []Candidate, keep func(address string) bool) []*Member {
	g.mu.Lock()
	defer g.mu.Unlock()
	for address, m := range g.members {
		m.ready = false
		if !keep(address) {
			delete(g.members, address)
		}
	}
	members := make([]*Member, len(list))
	for i, c := range list {
		m, known := g.members[c.Address]
		if !known || c.Revision != "" && m.revision != c.Revision { // another pod has the address now
			m = &Member{group: g, revision: c.Revision}
			m.told.Store(c.Revision != "")
			g.members[c.Address] = m
		}
		m.ready = true
		members[i] = m
	}
	for _, m := range members {
		g.bound(m.revision)
	}
	return members
}

// bound takes instances back while more than half of the revision's are left out.
func (g *Group) bound(revision string) {
	for {
		out, all, oldest := 0, 0, (*Member)(nil)
		for m := range g.of(revision) {
			all++
			if m.In() {
				continue
			}
			out++
			if oldest == nil || m.until.Before(oldest.until) {
				oldest = m
			}
		}
		if out <= all/2 {
			return
		}
		oldest.restore()
	}
}

// of goes through the instances of a revision that can take calls. One whose revision nobody has told is in none.
func (g *Group) of(revision string) func(yield func(*Member) bool) {
	return func(yield func(*Member) bool) {
		for _, m := range g.members {
			if m.ready && m.told.Load() && m.revision == revision && !yield(m) {
				return
			}
		}
	}
}

// mayEject tells whether the instance is the odd one out. It never is if it is the last of its revision, nor if half of
// them are out already.
func (g *Group) mayEject(suspect *Member, now time.Time) bool {
	all, out, well := 1, 0, 0
	var others tally
	for m := range g.of(suspect.revision) {
		if m == suspect {
			continue
		}
		all++
		if !m.In() {
			out++
			continue
		}
		others = others.plus(m.recent.sum(now))
		if m.row == 0 && m.recent.sum(now).calls > 0 {
			well++
		}
	}
	siblings := all - 1 - out
	if !suspect.told.Load() || !suspect.ready || out+1 > all/2 || 2*well < siblings || well == 0 {
		return false
	}
	own := suspect.recent.sum(now)
	inARow := suspect.row >= leastInARow
	often := own.calls >= leastCalls && own.share() >= mostBad && others.share() < own.share()/2
	return inARow || often
}
