package evidence

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"movieexample.com/fleet/controllers/fleetservice/signals"
	"movieexample.com/fleet/controllers/fleetservice/verdict"
)

// version is that of the saved form.
const version = 2

// state is everything besides the verdict's own.
type state struct {
	Position  Position `json:"position"`
	NewWeight bool     `json:"newWeight,omitempty"`
	// ReadAt is the last reading that was taken in.
	ReadAt time.Time `json:"readAt"`
	Open   look      `json:"open"`
	Step   step      `json:"step"`
	// Canary and Stable are the sums of the release.
	Canary row `json:"canary,omitempty"`
	Stable row `json:"stable,omitempty"`
	// Parts are the canary's sums by partition, History what stable's pods counted by partition.
	Parts   split   `json:"partitions,omitempty"`
	History besides `json:"history,omitzero"`
	// Pods and Callers are what each said last, by UID.
	Pods    map[string]*counter `json:"pods,omitempty"`
	Callers map[string]*caller  `json:"callers,omitempty"`
	// Source is who is believed; Known and Owned are stable's requests of late as callers and as its pods counted them,
	// Called the signals that callers count.
	Source source  `json:"source"`
	Known  float64 `json:"known,omitempty"`
	Owned  float64 `json:"owned,omitempty"`
	Called []bool  `json:"called,omitempty"`
	// Present are the canary's pods at the last reading.
	Present []string `json:"present,omitempty"`

	notices `json:"notices"`
}

// step are the requests at the present position since its first reading.
type step struct {
	From    time.Time `json:"from"`
	Canary  int64     `json:"canary,omitempty"`
	Stable  int64     `json:"stable,omitempty"`
	Looks   int       `json:"looks,omitempty"`
	Seconds float64   `json:"seconds,omitempty"`
}

// notices are what the last reading could not show.
type notices struct {
	// Slow says why it could not be used, SlowSince when that began, SlowFor how long it has lasted.
	Slow      string        `json:"slow,omitempty"`
	SlowSince time.Time     `json:"slowSince,omitzero"`
	SlowFor   time.Duration `json:"slowFor,omitempty"`
	// Unread are pages that could not be read, Absent signals that no pod of a revision gave.
	Unread []unread `json:"unread,omitempty"`
	Absent []absent `json:"absent,omitempty"`
	// Read are the numbers of pods of canary and stable that could be read.
	Read [2]int `json:"read"`
	// Trouble says which look was left out.
	Trouble string `json:"trouble,omitempty"`
}

type unread struct {
	Revision string `json:"revision"`
	Pod      string `json:"pod"`
	Err      string `json:"err"`
}

type absent struct {
	Revision string `json:"revision"`
	Signal   int    `json:"signal"`
}

// notice keeps what a reading could not show.
func (b *Book) notice(r signals.Reading) {
	s := &b.state
	s.Present, s.Unread, s.Absent, s.Read = nil, nil, nil, [2]int{}
	revisions := []string{b.release.Canary, b.release.Stable}
	given := [2]map[string]bool{{}, {}}
	for _, p := range r.Pods {
		side := slices.Index(revisions, p.Revision)
		if side < 0 {
			continue
		}
		if side == 0 {
			s.Present = append(s.Present, p.Name)
		}
		if p.Err != "" {
			s.Unread = append(s.Unread, unread{Revision: p.Revision, Pod: p.Name, Err: p.Err})
			continue
		}
		s.Read[side]++
		for name := range maps.Keys(p.Totals) {
			given[side][name] = true
		}
	}
	for side, revision := range revisions {
		for i, signal := range b.release.Params.Signals {
			if s.Read[side] > 0 && !given[side][signal.Name] {
				s.Absent = append(s.Absent, absent{Revision: revision, Signal: i})
			}
		}
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

// Load continues a book from what Save wrote. It refuses the evidence of another release, and what is damaged. What was
// counted since the book was saved is read again from the counters, as one coarser look.
func Load(r Release, raw []byte) (*Book, error) {
	var s saved
	if err := json.Unmarshal(raw, &s); err != nil {
		return nil, fmt.Errorf("saved evidence cannot be read, begin anew: %w", err)
	}
	if s.Version != version {
		return nil, fmt.Errorf("saved evidence has version %d, want %d: begin anew", s.Version, version)
	}
	if s.Canary != r.Canary || s.Stable != r.Stable || !s.Began.Equal(r.Began) {
		return nil, fmt.Errorf("saved evidence is about canary %s beside %s since %s, not about this release: begin anew",
			s.Canary, s.Stable, s.Began.UTC().Format(time.RFC3339))
	}
	if err := s.State.check(len(r.Params.Signals)); err != nil {
		return nil, fmt.Errorf("saved evidence is damaged, begin anew: %w", err)
	}
	b := &Book{release: r, state: s.State}
	var err error
	if b.verdict, err = verdict.Resume(r.Params, s.Verdict); err != nil {
		return nil, fmt.Errorf("resume the verdict: %w", err)
	}
	if len(s.Bake) == 0 {
		return b, nil
	}
	if b.bake, err = verdict.ResumeBake(r.Params, s.Bake); err != nil {
		return nil, fmt.Errorf("resume the bake: %w", err)
	}
	return b, nil
}

// check refuses what Save cannot have written.
func (s state) check(signals int) error {
	if s.Position.Percent < 0 || s.Position.Percent > all {
		return fmt.Errorf("a share of %d percent", s.Position.Percent)
	}
	if s.Source != servers && s.Source != callers {
		return fmt.Errorf("requests counted by %q", s.Source)
	}
	if !(s.Known >= 0 && s.Owned >= 0 && s.Step.Seconds >= 0) || s.Step.Canary < 0 || s.Step.Stable < 0 || s.Step.Looks < 0 {
		return errors.New("a number is negative")
	}
	for _, a := range s.Absent {
		if a.Signal < 0 || a.Signal >= signals {
			return fmt.Errorf("there is no signal %d", a.Signal)
		}
	}
	for uid, p := range s.Pods {
		if p == nil || len(p.Said) > signals || len(p.Again) > signals || p.Split.check(signals) != nil {
			return fmt.Errorf("what pod %s said", uid)
		}
	}
	for uid, c := range s.Callers {
		if c == nil || slices.ContainsFunc(slices.Collect(maps.Values(c.Said)), func(t totals) bool { return len(t) > signals }) {
			return fmt.Errorf("what caller %s said", uid)
		}
	}
	return errors.Join(checkRow(s.Canary, signals), checkRow(s.Stable, signals),
		s.Parts.check(signals), s.History.Ever.check(signals), s.History.Beside.check(signals),
		s.Open.Together.check(signals), s.Open.Apart.check(signals))
}

func (t tallies) check(signals int) error {
	errs := []error{checkRow(t.CalledCanary, signals), checkRow(t.CalledStable, signals)}
	for _, m := range []byPod{t.Canary, t.Stable, t.Again} {
		for _, r := range m {
			errs = append(errs, checkRow(r, signals))
		}
	}
	for _, s := range t.Parts {
		errs = append(errs, s.check(signals))
	}
	return errors.Join(errs...)
}

func checkRow(r row, signals int) error {
	if len(r) > signals {
		return fmt.Errorf("counts of %d signals, want at most %d", len(r), signals)
	}
	for _, c := range r {
		if c.Bad < 0 || c.Bad > c.Requests || c.Requests > 1<<60 {
			return fmt.Errorf("%d bad of %d requests", c.Bad, c.Requests)
		}
	}
	return nil
}
