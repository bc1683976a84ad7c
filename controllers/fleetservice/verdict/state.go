package verdict

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// Save is the release's state as JSON, its logarithms rounded down to 1e-6: a release resumed from it never has more
// evidence than it had.
func (r *Release) Save() ([]byte, error) {
	saved := r.state
	saved.Signals = make([]SignalState, len(r.state.Signals))
	for i, s := range r.state.Signals {
		saved.Signals[i] = s.down()
	}
	return json.Marshal(saved)
}

// Resume continues a release from what Save wrote. It refuses evidence that was gathered for other parameters.
func Resume(params Params, saved []byte) (*Release, error) {
	if err := params.Check(); err != nil {
		return nil, err
	}
	var state State
	if err := json.Unmarshal(saved, &state); err != nil {
		return nil, fmt.Errorf("saved evidence cannot be read, start the release anew: %w", err)
	}
	if !state.Params.equal(params) {
		return nil, errors.New("saved evidence was gathered for other signals, weights or bounds: start the release anew")
	}
	if err := state.check(); err != nil {
		return nil, fmt.Errorf("saved evidence is damaged, start the release anew: %w", err)
	}
	return &Release{state: state}, nil
}

func (s State) check() error {
	if s.Looks < 0 || s.Against < 0 || len(s.Signals) != len(s.Params.Signals) {
		return fmt.Errorf("%d looks, %d of them against the canary, at %d signals of %d", s.Looks, s.Against, len(s.Signals), len(s.Params.Signals))
	}
	for i, signal := range s.Params.Signals {
		if err := s.Signals[i].check(len(signal.atoms(s.Params.Alone)), len(s.Params.Weights), s.Looks > 0); err != nil {
			return fmt.Errorf("signal %q: %w", signal.Name, err)
		}
		if len(s.Signals[i].Without) != len(s.Signals[0].Without) || len(s.Signals[i].WithoutParts) != len(s.Signals[0].WithoutParts) {
			return fmt.Errorf("signal %q: %d groups of pods and %d of parts, another signal has %d and %d", signal.Name,
				len(s.Signals[i].Without), len(s.Signals[i].WithoutParts), len(s.Signals[0].Without), len(s.Signals[0].WithoutParts))
		}
	}
	return errors.Join(checkGroups("pod", s.Groups, len(s.Signals[0].Without)), checkGroups("part", s.Parts, len(s.Signals[0].WithoutParts)))
}

func checkGroups(what string, groups map[string]int, number int) error {
	for name, g := range groups {
		if g < 0 || g >= number {
			return fmt.Errorf("%s %q: there is no group %d", what, name, g)
		}
	}
	return nil
}

func (s SignalState) check(atoms, weights int, begun bool) error {
	if !begun {
		atoms = 0
	}
	if len(s.Without) > maxGroups || len(s.WithoutParts) > maxGroups || len(s.Shares) > memory || len(s.Relative) != weights {
		return fmt.Errorf("%d groups, %d shares, %d weights", len(s.Without), len(s.Shares), len(s.Relative))
	}
	for _, p := range slices.Concat([]Process{s.Rollback}, s.Without, s.WithoutParts) {
		if len(p.Atoms) != atoms || !finite(p.Reserve) || !finite(p.Atoms...) {
			return fmt.Errorf("a process of %d atoms, or not of finite ones; want %d", len(p.Atoms), atoms)
		}
	}
	for _, logs := range s.Relative {
		if !finite(logs[:]...) {
			return errors.New("a logarithm for a coming weight is not finite")
		}
	}
	return s.checkSums()
}

func (s SignalState) checkSums() error {
	for _, share := range s.Shares {
		if share < 0 || share > 1_000_000 {
			return fmt.Errorf("a share of %d millionths", share)
		}
	}
	if err := s.Canary.checkSum(); err != nil {
		return fmt.Errorf("the canary: %w", err)
	}
	if !finite(s.Spread.Squares, s.Spread.Expected) || s.Spread.Squares < 0 || s.Spread.Expected < 0 {
		return errors.New("the spread over stable's pods is negative or not finite")
	}
	return nil
}
