package evidence

import (
	"fmt"
	"slices"
	"time"

	"movieexample.com/fleet/controllers/fleetservice/signals"
	"movieexample.com/fleet/controllers/fleetservice/verdict"
)

// Release is what evidence is about. Another one begins a new book.
type Release struct {
	// Canary and Stable are the revisions that are compared.
	Canary, Stable string
	// Began is when the canary's trial began: the same revision tried again is another release.
	Began time.Time
	// Params say which signals are judged, and how surely. Traffic is counted by the first signal.
	Params verdict.Params
	// Uneven says that shares differ in how much they bring, as partitions do: then how many requests came to the canary says
	// nothing about it.
	Uneven bool
	// Along says that the canary only reads along with stable, all that it reads: then data of a partition cannot be the fault,
	// and what it has counted counts when stable has read as far.
	Along bool
}

// Same tells whether two releases share their evidence.
func (r Release) Same(o Release) bool {
	return r.Canary == o.Canary && r.Stable == o.Stable && r.Began.Equal(o.Began) && r.Uneven == o.Uneven && r.Along == o.Along && equal(r.Params, o.Params)
}

func equal(a, b verdict.Params) bool {
	return slices.Equal(a.Weights, b.Weights) && slices.Equal(a.Signals, b.Signals) &&
		a.FalseRollback == b.FalseRollback && a.FalsePromote == b.FalsePromote && a.Alone == b.Alone
}

// Position is where requests go.
type Position struct {
	// Percent is the canary's share: 0 before its first weight, 100 from its promotion on, 50 while the bake asks.
	Percent int32 `json:"percent"`
	// Since is when it was seen to have it.
	Since time.Time `json:"since"`
}

func (p Position) equal(o Position) bool { return p.Percent == o.Percent && p.Since.Equal(o.Since) }

// all is every request, in percent.
const all = 100

// Book is the evidence of one release, from the first reading to the end of its bake. Not for concurrent use.
type Book struct {
	release Release
	state   state
	verdict *verdict.Release
	bake    *verdict.Bake
	along   along
}

// New begins a book. The error is about parameters that cannot be.
func New(r Release) (*Book, error) {
	v, err := verdict.New(r.Params)
	if err != nil {
		return nil, fmt.Errorf("begin evidence: %w", err)
	}
	return &Book{release: r, verdict: v, state: state{Source: servers}}, nil
}

// Add takes in a reading, made while requests went as the position says, and closes the open look when there is enough in
// it. A reading that is slow, or lacks a page that the look began with, is left out: within a look, both revisions must be
// counted over the same time. What was counted while requests moved is compared with nothing.
func (b *Book) Add(r signals.Reading, at Position) {
	if r.Slow != "" {
		b.slow(r)
		return
	}
	b.state.Slow, b.state.SlowSince, b.state.SlowFor = "", time.Time{}, 0
	r = b.align(r)
	b.notice(r)
	moved := !b.state.Position.equal(at)
	if moved {
		b.close(b.state.ReadAt)
	} else if b.waits(r) {
		return
	}
	b.count(r, moved)
	b.state.ReadAt = r.At
	if moved {
		b.begin(at)
	}
	if moved || b.full() {
		b.close(r.At)
	}
}

func (b *Book) slow(r signals.Reading) {
	if b.state.Slow == "" {
		b.state.SlowSince = r.At
	}
	b.state.Slow, b.state.SlowFor = r.Slow, r.At.Sub(b.state.SlowSince)
}

// begin begins a step at the last reading.
func (b *Book) begin(at Position) {
	returned := b.state.Position.Percent < all && at.Percent == all
	b.state.Position, b.state.NewWeight = at, true
	b.state.Step = step{From: b.state.ReadAt}
	if returned && b.bake != nil {
		b.bake.Answered()
	}
}

func (b *Book) baking() bool { return b.state.Position.Percent == all }

// full is true when the open look is to be closed. How many requests were bad has no say.
func (b *Book) full() bool {
	canary, stable := b.state.Open.Together.requests(b.source())
	if b.baking() { // nothing is compared: each request speaks for itself
		return canary > 0
	}
	return b.release.Params.Closes(canary, stable, b.state.ReadAt.Sub(b.state.Open.Began))
}

// Close closes the open look with what is in it: before every change of weight, after which the caller saves the book.
func (b *Book) Close(now time.Time) { b.close(now) }

func (b *Book) close(now time.Time) {
	open, by := b.state.Open, b.source()
	b.prefer(open.Together, by)
	b.state.Open, b.state.Trouble = look{Began: b.state.ReadAt}, ""
	for _, c := range b.state.Pods {
		c.In = c.At.Equal(b.state.ReadAt)
	}
	open.Apart.Called = either(open.Apart.Called, open.Together.Called)
	b.apart(open.Apart, by)
	b.together(open.Together, by, now)
}

// apart takes in what cannot be compared: it speaks of the canary alone, beside a stable that is idle.
func (b *Book) apart(t tallies, by source) {
	l := b.look(t, by)
	l.Stable, l.Again = nil, nil
	canary, _ := t.requests(by)
	if canary > 0 && !b.observe(l) {
		return
	}
	b.sum(t, by)
}

// together takes in what both revisions did over the same time.
func (b *Book) together(t tallies, by source, now time.Time) {
	canary, stable := t.requests(by)
	if canary+stable == 0 {
		return
	}
	l := b.look(t, by)
	l.NewWeight = b.state.NewWeight
	if !b.observe(l) {
		return
	}
	b.state.NewWeight = false
	b.sum(t, by)
	s := &b.state.Step
	s.Canary, s.Stable, s.Looks, s.Seconds = s.Canary+canary, s.Stable+stable, s.Looks+1, now.Sub(s.From).Seconds()
}

// observe hands a look to what judges at this position. A look that cannot be is left out, and said.
func (b *Book) observe(l verdict.Look) bool {
	var err error
	switch {
	case b.baking():
		err = b.watch(total(l.Canary, len(b.release.Params.Signals)))
	case b.state.Position.Percent > 0: // before, it is stable's history
		err = b.verdict.Observe(l)
	}
	if err != nil {
		b.state.Trouble = fmt.Sprintf("what was counted is not possible and was left out: %v", err)
	}
	return err == nil
}

// watch takes in what the canary does with all requests, beside what is known of stable.
func (b *Book) watch(canary row) error {
	if b.bake == nil {
		bake, err := verdict.NewBake(b.release.Params, b.state.Stable.filled(len(canary)))
		if err != nil {
			return fmt.Errorf("begin the bake: %w", err)
		}
		b.bake = bake
	}
	return b.bake.Observe(canary)
}

// sum adds counts to the sums of the release.
func (b *Book) sum(t tallies, by source) {
	l, n := b.look(t, by), len(b.release.Params.Signals)
	b.state.Canary.add(total(l.Canary, n))
	b.state.Stable.add(total(l.Stable, n))
	b.state.Parts.add(t.parted())
}
