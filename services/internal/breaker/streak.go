package breaker

import (
	"maps"
	"sync"
	"time"
)

const (
	// A dependency is dead if calls failed one after the other, at least so many over at least so long, and none went
	// well. One hundred calls that fail within a moment can be one connection that broke. Calls that were under way
	// side by side count once: they can all hang at one instance, while those that follow go to others.
	leastRounds = 2
	leastLong   = 500 * time.Millisecond
	// forgetAfter is how long a part that answered well speaks against the death of all.
	forgetAfter = window
)

// streak finds out that a dependency is dead, however few calls there are: a share of the last ten seconds would notice
// only after seconds, since the calls before were good.
//
// A canary that hangs must not look like the death of all. So the streak counts only if every part (revision) that
// answered well in the last seconds has failed since.
type streak struct {
	mu     sync.Mutex
	rounds int                  // failed calls that each began after the end of the one before
	since  time.Time            // when the first of them began
	ended  time.Time            // when the last of them ended
	well   map[string]time.Time // parts whose last call was good, and when it ended
}

func newStreak() *streak { return &streak{well: map[string]time.Time{}} }

func (s *streak) good(part string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rounds = 0
	now := time.Now()
	if _, known := s.well[part]; !known { // rare: the time to forget revisions of long ago
		maps.DeleteFunc(s.well, func(_ string, at time.Time) bool { return now.Sub(at) >= forgetAfter })
	}
	s.well[part] = now
}

func (s *streak) failed(part string, began time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.rounds == 0:
		s.rounds, s.since, s.ended = 1, began, time.Now()
	case !began.Before(s.ended):
		s.rounds, s.ended = s.rounds+1, time.Now()
	}
	if part == "" { // nobody took the call: no part is there
		clear(s.well)
	} else {
		delete(s.well, part)
	}
}

func (s *streak) dead() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rounds < leastRounds || time.Since(s.since) < leastLong {
		return false
	}
	for _, at := range s.well {
		if time.Since(at) < forgetAfter {
			return false
		}
	}
	return true
}
