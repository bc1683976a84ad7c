package verdict

import (
	"fmt"
	"slices"
)

// State is all that a release's looks left behind, as plain values.
type State struct {
	// Params are those that the evidence was gathered for.
	Params Params `json:"params"`
	// Looks is the number of looks so far.
	Looks int `json:"looks"`
	// Against is the number of looks that raised the evidence against the canary since it was last 1 or less.
	Against int `json:"against,omitempty"`
	// Groups is the group, 0 to 3, of each pod of the canary at the last look.
	Groups map[string]int `json:"groups,omitempty"`
	// Parts is the group, 0 to 3, of each part of the work that the canary had.
	Parts map[string]int `json:"parts,omitempty"`
	// Signals has one entry for each of Params.Signals, in their order.
	Signals []SignalState `json:"signals"`
}

// Release gathers the evidence about one canary, from its first request to the end of its bake. Not for concurrent use.
type Release struct {
	state State
}

// New begins a release without evidence.
func New(params Params) (*Release, error) {
	if err := params.Check(); err != nil {
		return nil, err
	}
	state := State{Params: params}
	for range params.Signals {
		state.Signals = append(state.Signals, SignalState{Relative: make([][3]float64, len(params.Weights))})
	}
	return &Release{state: state}, nil
}

// State is the evidence so far, unrounded. The caller does not change it.
func (r *Release) State() State { return r.state }

// Observe adds one look. An error says what is wrong with the look, and leaves the release as it was.
func (r *Release) Observe(look Look) error {
	if err := look.check(r.state.Params); err != nil {
		return fmt.Errorf("look %d: %w", r.state.Looks+1, err)
	}
	groups, parts := regroup(r.state.Groups, look.Canary), r.state.Parts
	if len(look.Parts) > 0 {
		parts = regroup(parts, look.Parts)
	}
	signals := slices.Clone(r.state.Signals)
	for i, before := range signals {
		signals[i] = r.observe(i, before, look, groups, parts)
	}
	before := r.LogE()
	r.state.Looks++
	r.state.Groups, r.state.Parts, r.state.Signals = groups, parts, signals
	r.state.Against = r.speaking(before, look)
	return nil
}

// observe adds a look to signal i.
func (r *Release) observe(i int, s SignalState, look Look, groups, parts map[string]int) SignalState {
	signal := r.state.Params.Signals[i]
	e := r.evidence(i, s, look)
	whole := e.guarded(signal)
	withoutPods := s.without(s.Without, signal, e, whole, grouped(look.Canary, i, groups, len(s.Without)))
	withoutParts := s.without(s.WithoutParts, signal, e, whole, grouped(look.Parts, i, parts, len(s.WithoutParts)))
	s = s.weighed(signal, r.state.Params.Weights, e, whole)
	s.Without, s.WithoutParts = withoutPods, withoutParts
	s.Spread = s.Spread.next(of(look.Stable, i))
	s.Shares = remember(s.Shares, e.canary.plus(e.stable))
	return s
}

func (r *Release) evidence(i int, s SignalState, look Look) evidence {
	e := evidence{
		canary: sum(of(look.Canary, i)), stable: sum(of(look.Stable, i)),
		alone: r.state.Params.Alone,
		share: r.share(look), spread: s.Spread.Factor(), dead: r.state.Params.Signals[i].dead(of(look.Canary, i)),
	}
	e.steady = steady(s.Shares, e.canary.plus(e.stable))
	if look.Again != nil {
		e.again = &look.Again[i]
	}
	return e
}

func (r *Release) share(look Look) float64 {
	switch {
	case r.state.Looks == 0:
		return shareFirst
	case look.NewWeight:
		return shareNew
	}
	return shareSteady
}
