package eject

import (
	"sync/atomic"
	"time"
)

// The states of an instance.
const (
	in    int32 = iota // it takes its turns
	out                // it is left out
	tried              // it is left out, and one call tries it
)

// Member is one instance.
type Member struct {
	group *Group
	state atomic.Int32 // written under the group's lock; read for each call

	told atomic.Bool // revision is known, though it may be ""; written under the group's lock

	// All of these under the group's lock.
	revision string
	ready    bool
	recent   recent
	row      int       // bad calls since the last good one
	until    time.Time // when an ejected one is tried
	times    int       // ejections, one after another
	good     int       // calls that tried it and went well
	back     time.Time // when it came back last
}

// In tells whether the instance takes its turns.
func (m *Member) In() bool { return m.state.Load() == in }

// Take tells whether the instance may have the next call, and whether that call is one to try it.
func (m *Member) Take() (ok, trial bool) {
	if m.In() {
		return true, false
	}
	m.group.mu.Lock()
	defer m.group.mu.Unlock()
	if m.state.Load() != out || time.Now().Before(m.until) {
		return m.In(), false
	}
	m.state.Store(tried)
	return true, true
}

// Result is how a call went.
type Result int

// A call that its caller ended, or that the caller got wrong, says nothing about the instance.
const (
	Good Result = iota
	Bad
	Nothing
)

// Done tells how a call went; trial is what Take said. It tells whether the instance has been ejected because of it.
func (m *Member) Done(trial bool, r Result) (ejected bool) {
	if r == Nothing && !trial {
		return false
	}
	m.group.mu.Lock()
	defer m.group.mu.Unlock()
	now := time.Now()
	if trial {
		m.settle(r, now)
		return false
	}
	if !m.In() {
		return false // it was made before the ejection
	}
	m.recent.add(now, r == Bad)
	if r == Good {
		m.row = 0
		return false
	}
	m.row++
	if !m.group.mayEject(m, now) {
		return false
	}
	if now.Sub(m.back) > remember {
		m.times = 0
	}
	m.eject(now)
	return true
}

// settle moves a trial on. One that told nothing is made again.
func (m *Member) settle(r Result, now time.Time) {
	if m.state.Load() != tried {
		return // taken back meanwhile
	}
	switch r {
	case Bad:
		m.eject(now)
		return
	case Good:
		m.good++
	case Nothing:
	}
	if m.good >= goodToStay {
		m.restore()
		m.back = now
		return
	}
	m.state.Store(out) // and until is over: the next call is a trial again
}

func (m *Member) eject(now time.Time) {
	m.until = now.Add(min(firstTime<<min(m.times, 10), longestTime))
	m.times++
	m.good = 0
	m.state.Store(out)
}

// restore gives it its turns, with nothing held against it.
func (m *Member) restore() {
	m.recent, m.row, m.good = recent{}, 0, 0
	m.state.Store(in)
}

// Learn takes the revision from an answer, if no registry has told it.
func (m *Member) Learn(revision string) {
	if m.told.Load() {
		return
	}
	m.group.mu.Lock()
	defer m.group.mu.Unlock()
	if !m.told.Load() {
		m.revision = revision
		m.told.Store(true)
	}
}
