package evidence

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"movieexample.com/fleet/controllers/fleetservice/signals"
	"movieexample.com/fleet/controllers/fleetservice/verdict"
)

// version is that of the saved form.
const version = 1

// state is everything besides the verdict's own.
type state struct {
	Position  Position  `json:"position"`
	NewWeight bool      `json:"newWeight,omitempty"`
	ReadAt    time.Time `json:"readAt,omitzero"`
	Open      look      `json:"open"`
	Step      step      `json:"step"`
	Sums      both      `json:"sums"`
	// Last is what each counter said at the last reading, by who counts and signal.
	Last map[string]map[string]signals.Total `json:"last"`
	// Source is who is believed; Known and Owned are stable's requests of late as callers and as its pods counted them.
	Source source  `json:"source"`
	Known  float64 `json:"known"`
	Owned  float64 `json:"owned"`
	// Unread are the pages that the last reading could not read, Slow why it cannot be used, Trouble what was left out.
	Unread  []unread `json:"unread,omitempty"`
	Slow    string   `json:"slow,omitempty"`
	Trouble string   `json:"trouble,omitempty"`
}

// step are the requests at the present position.
type step struct {
	Began   time.Time `json:"began,omitzero"`
	Canary  int64     `json:"canary"`
	Stable  int64     `json:"stable"`
	Looks   int       `json:"looks"`
	Seconds float64   `json:"seconds"`
}

// both are sums of the release.
type both struct {
	Canary tally `json:"canary"`
	Stable tally `json:"stable"`
}

// unread is a page that could not be read.
type unread struct {
	Revision string `json:"revision"`
	Pod      string `json:"pod"`
	Err      string `json:"err"`
}

func newState() state {
	return state{
		Open: newLook(time.Time{}), Sums: both{Canary: tally{}, Stable: tally{}},
		Last: map[string]map[string]signals.Total{}, Source: servers,
	}
}

// saved is the form in which a book is kept.
type saved struct {
	Version int             `json:"version"`
	Canary  string          `json:"canary"`
	Stable  string          `json:"stable"`
	Began   time.Time       `json:"began"`
	State   state           `json:"state"`
	Verdict json.RawMessage `json:"verdict"`
	Bake    json.RawMessage `json:"bake,omitempty"`
}

// Save is the book as JSON. Evidence is rounded down: a book that was loaded never proves more than it did.
func (b *Book) Save() ([]byte, error) {
	s := saved{Version: version, Canary: b.release.Canary, Stable: b.release.Stable, Began: b.release.Began, State: b.state}
	var err error
	if s.Verdict, err = b.verdict.Save(); err != nil {
		return nil, fmt.Errorf("save the verdict: %w", err)
	}
	if b.bake != nil {
		if s.Bake, err = b.bake.Save(); err != nil {
			return nil, fmt.Errorf("save the bake: %w", err)
		}
	}
	return json.Marshal(s)
}

// Load continues a book from what Save wrote. It refuses the evidence of another release, and what is damaged.
func Load(r Release, raw []byte) (*Book, error) {
	s := saved{State: newState()}
	if err := json.Unmarshal(raw, &s); err != nil {
		return nil, fmt.Errorf("saved evidence cannot be read, begin anew: %w", err)
	}
	if s.Version != version {
		return nil, fmt.Errorf("saved evidence has version %d, want %d: begin anew", s.Version, version)
	}
	if s.Canary != r.Canary || s.Stable != r.Stable || !s.Began.Equal(r.Began) {
		return nil, errors.New("saved evidence is about another release: begin anew")
	}
	b := &Book{release: r, state: s.State}
	var err error
	if b.verdict, err = verdict.Resume(r.Params, s.Verdict); err != nil {
		return nil, err
	}
	if len(s.Bake) > 0 {
		if b.bake, err = verdict.ResumeBake(r.Params, s.Bake); err != nil {
			return nil, err
		}
	}
	b.state.repair()
	return b, nil
}

// repair makes maps that were saved empty.
func (s *state) repair() {
	fresh := newLook(s.Open.Began)
	for _, m := range []struct{ have, empty *map[string]tally }{{&s.Open.Canary, &fresh.Canary}, {&s.Open.Stable, &fresh.Stable}} {
		if *m.have == nil {
			*m.have = *m.empty
		}
	}
	for _, t := range []*tally{&s.Open.Again, &s.Open.CalledCanary, &s.Open.CalledStable, &s.Sums.Canary, &s.Sums.Stable} {
		if *t == nil {
			*t = tally{}
		}
	}
	if s.Last == nil {
		s.Last = map[string]map[string]signals.Total{}
	}
}
