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
	// Params say which signals are judged, and how surely.
	Params verdict.Params
}

// Same tells whether two releases share their evidence.
func (r Release) Same(o Release) bool {
	return r.Canary == o.Canary && r.Stable == o.Stable && r.Began.Equal(o.Began) && equal(r.Params, o.Params)
}

func equal(a, b verdict.Params) bool {
	return slices.Equal(a.Weights, b.Weights) && slices.Equal(a.Signals, b.Signals) &&
		a.FalseRollback == b.FalseRollback && a.FalsePromote == b.FalsePromote && a.Alone == b.Alone
}

// Position is where requests go.
type Position struct {
	// Percent is the canary's share.
	Percent int32
	// Since is when it was seen to have it.
	Since time.Time
}

// warmUp is how long a process may be slow after its start without being blamed for it.
const warmUp = 10 * time.Second

// Book is the evidence of one release. Not for concurrent use.
type Book struct {
	release Release
	state   state
	verdict *verdict.Release
	bake    *verdict.Bake
}

// New begins a book. The error is about parameters that cannot be.
func New(r Release) (*Book, error) {
	v, err := verdict.New(r.Params)
	if err != nil {
		return nil, err
	}
	return &Book{release: r, verdict: v, state: newState()}, nil
}

// Add takes in a reading, made while requests went as the position says. It closes a look when there is enough in it.
// What was counted while requests moved belongs to no look.
func (b *Book) Add(r signals.Reading, at Position) {
	moved := b.state.Position != at
	if moved {
		b.move(at)
	}
	b.state.Slow = r.Slow
	b.count(r, moved)
	b.state.ReadAt = r.At
	if moved {
		b.state.Open = newLook(r.At)
		return
	}
	if r.Slow == "" {
		b.closeIfFull(r.At)
	}
}

// move begins another step.
func (b *Book) move(at Position) {
	asked := b.state.Position.Percent < all
	b.state.Position, b.state.NewWeight = at, true
	b.state.Step = step{Began: at.Since}
	switch {
	case at.Percent == all && b.bake == nil:
		b.beginBake()
	case at.Percent == all && asked:
		b.bake.Answered()
	}
}

const all = 100

// beginBake watches the canary with what is known of stable.
func (b *Book) beginBake() {
	history := make([]verdict.Counts, len(b.release.Params.Signals))
	for i, s := range b.release.Params.Signals {
		history[i] = b.state.Sums.Stable[s.Name]
	}
	// The release's parameters were checked when the book was begun.
	b.bake, _ = verdict.NewBake(b.release.Params, history)
}

// Close closes the open look with what is in it: before every change of weight.
func (b *Book) Close(now time.Time) { b.close(now) }

// closeIfFull closes the look by rules in which bad requests have no say.
func (b *Book) closeIfFull(now time.Time) {
	canary, stable := b.state.Open.requests(b.source())
	if b.release.Params.Closes(canary, stable, now.Sub(b.state.Open.Began)) || (b.baking() && now.Sub(b.state.Open.Began) >= bakeLook) {
		b.close(now)
	}
}

// bakeLook is how long a look lasts while there is nothing to compare with.
const bakeLook = 2 * time.Second

func (b *Book) baking() bool { return b.bake != nil && b.state.Position.Percent == all }

func (b *Book) close(now time.Time) {
	open, source := b.state.Open, b.source()
	b.state.Open = newLook(now)
	canary, stable := open.requests(source)
	if canary+stable == 0 {
		return
	}
	look := b.look(open, source)
	if b.baking() {
		_ = b.bake.Observe(sums(look.Canary, len(b.release.Params.Signals))) // checked as a look is
	} else if err := b.verdict.Observe(look); err != nil {
		b.state.Trouble = fmt.Sprintf("a look was left out: %v", err)
		return
	}
	b.state.Trouble, b.state.NewWeight = "", false
	b.state.Step.Looks++
	b.state.Step.Seconds = now.Sub(b.state.Step.Began).Seconds()
	b.note(look)
}

// note adds a look's counts to the sums of the release and of the step.
func (b *Book) note(look verdict.Look) {
	signalCount := len(b.release.Params.Signals)
	canary, stable := sums(look.Canary, signalCount), sums(look.Stable, signalCount)
	for i, s := range b.release.Params.Signals {
		b.state.Sums.Canary[s.Name] = plus(b.state.Sums.Canary[s.Name], canary[i])
		b.state.Sums.Stable[s.Name] = plus(b.state.Sums.Stable[s.Name], stable[i])
	}
	b.state.Step.Canary += canary[0].Requests
	b.state.Step.Stable += stable[0].Requests
}

func sums(pods []verdict.Pod, signalCount int) []verdict.Counts {
	total := make([]verdict.Counts, signalCount)
	for _, p := range pods {
		for i, c := range p.Counts {
			total[i] = plus(total[i], c)
		}
	}
	return total
}

func plus(a, b verdict.Counts) verdict.Counts {
	return verdict.Counts{Requests: a.Requests + b.Requests, Bad: a.Bad + b.Bad}
}
