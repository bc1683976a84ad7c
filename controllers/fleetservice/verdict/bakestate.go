package verdict

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Save is the bake's state as JSON, its logarithms rounded down to 1e-6.
func (b *Bake) Save() ([]byte, error) {
	saved := b.state
	saved.Signals = make([]BakeSignal, len(b.state.Signals))
	for i, s := range b.state.Signals {
		// Rounded down, a bound would grow evidence.
		s.Bound = -down(-s.Bound)
		s.Detector = downAll(s.Detector)
		s.Alert = s.Alert.down()
		saved.Signals[i] = s
	}
	return json.Marshal(saved)
}

// ResumeBake continues a bake from what Save wrote. It refuses a bake of other parameters.
func ResumeBake(params Params, saved []byte) (*Bake, error) {
	if err := params.Check(); err != nil {
		return nil, err
	}
	var state BakeState
	if err := json.Unmarshal(saved, &state); err != nil {
		return nil, fmt.Errorf("the saved bake cannot be read, begin it anew: %w", err)
	}
	if !state.Params.equal(params) || len(state.Signals) != len(params.Signals) {
		return nil, errors.New("the saved bake is of other signals, weights or bounds: begin it anew")
	}
	for i, s := range params.Signals {
		if err := state.Signals[i].check(len(s.ratios())); err != nil {
			return nil, fmt.Errorf("the saved bake is damaged, begin it anew: signal %q: %w", s.Name, err)
		}
	}
	return &Bake{state: state}, nil
}

func (b BakeSignal) check(atoms int) error {
	if len(b.Detector) != atoms && len(b.Detector) != 0 || len(b.Alert.Atoms) != atoms && len(b.Alert.Atoms) != 0 {
		return fmt.Errorf("%d and %d atoms, want %d", len(b.Detector), len(b.Alert.Atoms), atoms)
	}
	if !finite(b.Bound, b.Alert.Reserve) || !finite(b.Detector...) || !finite(b.Alert.Atoms...) {
		return errors.New("a logarithm is not finite")
	}
	return b.Sum.checkSum()
}
