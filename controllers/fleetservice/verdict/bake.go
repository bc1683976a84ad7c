package verdict

import (
	"fmt"
	"math"
	"slices"
)

const (
	// logSuspicion is what a bake's evidence has to reach before it asks or alerts: ln 1000.
	logSuspicion = 6.907755278982137
	// doubt is the probability with which stable's rate may lie above the bound that a bake takes from its history.
	doubt = 0.001
	// shareAlert of the reserve goes to the atoms of an alert at each look.
	shareAlert = 1.0 / 300
)

// Bake watches the new revision after it has all requests, when there is no live stable to compare with. It knows stable's
// history only, so that it convicts nobody: it asks for a comparison, or alerts where none is possible. Not for concurrent
// use.
type Bake struct {
	state BakeState
}

// BakeState is all that a bake's looks left behind, as plain values.
type BakeState struct {
	// Params are those of the release.
	Params Params `json:"params"`
	// Signals has one entry for each of Params.Signals, in their order.
	Signals []BakeSignal `json:"signals"`
}

// BakeSignal is what a bake knows of one signal.
type BakeSignal struct {
	// Bound is the logarithm of the odds that the new revision may have: the tolerance times those of the upper 99.9 % bound
	// of stable's rate.
	Bound float64 `json:"bound"`
	// Detector holds log M_j, the evidence of odds ratio j since the look from which there is most of it; empty before the
	// first look.
	Detector []float64 `json:"detector,omitempty"`
	// Alert is evidence over the whole bake.
	Alert Process `json:"alert"`
	// Sum is the new revision's since the bake began.
	Sum Counts `json:"sum"`
}

// NewBake begins a bake. history holds, for each signal, stable's sums from before the release and during its steps: the
// longer, the smaller the change that is noticed.
func NewBake(params Params, history []Counts) (*Bake, error) {
	if err := params.Check(); err != nil {
		return nil, err
	}
	if len(history) != len(params.Signals) {
		return nil, fmt.Errorf("stable's history of %d signals: give one for each of the release's %d", len(history), len(params.Signals))
	}
	state := BakeState{Params: params}
	for i, stable := range history {
		s := params.Signals[i]
		if err := stable.checkSum(); err != nil {
			return nil, fmt.Errorf("stable's history, signal %q: %w", s.Name, err)
		}
		state.Signals = append(state.Signals, BakeSignal{Bound: math.Log(s.Tolerance) + stable.upper(doubt)})
	}
	return &Bake{state: state}, nil
}

// State is what the bake knows, unrounded. The caller does not change it.
func (b *Bake) State() BakeState { return b.state }

// Observe adds what the new revision answered in one look, for each signal, while it had all requests. An error says what is
// wrong with the counts, and leaves the bake as it was.
func (b *Bake) Observe(counts []Counts) error {
	if err := checkCounts(counts, b.state.Params.Signals); err != nil {
		return err
	}
	signals := slices.Clone(b.state.Signals)
	for i, c := range counts {
		signals[i] = signals[i].next(b.state.Params.Signals[i], c)
	}
	b.state.Signals = signals
	return nil
}

func (b BakeSignal) next(signal Signal, c Counts) BakeSignal {
	logs := binomialIncrements(c, b.Bound, signal.ratios())
	b.Alert = b.Alert.next(shareAlert, logs)
	for j := range logs {
		if len(b.Detector) > 0 {
			logs[j] += math.Max(b.Detector[j], 0)
		}
	}
	b.Detector = logs
	b.Sum = b.Sum.plus(c)
	return b
}

// ratios are rollback's odds ratios over the tolerance.
func (s Signal) ratios() []float64 {
	ratios := rollbackAtoms(s.Tolerance)
	for j := range ratios {
		ratios[j] /= s.Tolerance
	}
	return ratios
}

// Ask says whether the old revision should take half of the requests again, so that the release's comparison can go on. Its
// evidence is no bound on a probability: the answer is the comparison's. Hold if not.
func (b *Bake) Ask() Decision {
	best, logM := 0, math.Inf(-1)
	for i, s := range b.state.Signals {
		if len(s.Detector) > 0 && logMean(s.Detector) > logM {
			best, logM = i, logMean(s.Detector)
		}
	}
	return b.decision(Ask, best, math.Max(logM, 0))
}

// Alert says whether people should be told that the new revision is worse than stable's history, where the old revision
// cannot take requests. Falsely in 0.1 % of bakes at most, and 0.1 % for each signal whose true rate lies above its bound;
// what all revisions suffer, such as an outage, alerts too. Hold if not.
func (b *Bake) Alert() Decision {
	best := 0
	logs := b.state.Params.logShares()
	for i, s := range b.state.Signals {
		logs[i] += s.Alert.LogE()
		if s.Alert.LogE() > b.state.Signals[best].Alert.LogE() {
			best = i
		}
	}
	return b.decision(Alert, best, logTotal(logs...))
}

func (b *Bake) decision(action Action, i int, logE float64) Decision {
	d := Decision{
		Action: Hold, Reason: Complete, Signal: b.state.Params.Signals[i].Name,
		LogE: logE, LogNeeded: logSuspicion, Canary: b.state.Signals[i].Sum,
	}
	if logE >= logSuspicion {
		d.Action, d.Reason = action, Suspicious
	}
	return d
}

// Answered forgets the suspicion, after a comparison has found nothing. Evidence for an alert stays.
func (b *Bake) Answered() {
	signals := slices.Clone(b.state.Signals)
	for i := range signals {
		signals[i].Detector = nil
	}
	b.state.Signals = signals
}
