package verdict

import "math"

// A Signal is one kind of bad answer: an error code, a slow request, a failed event.
type Signal struct {
	// Name is unique within a release.
	Name string `json:"name"`
	// Tolerance is ψ0 ≥ 1: how many times stable's odds of a bad answer the canary's may be. Odds, not rates: 1.5 allows
	// 0.15 % against 0.1 %, but 39 % against 30 %.
	Tolerance float64 `json:"tolerance"`
	// Objective is p0 in (0, 1): the share of all requests of the service that may be bad. May be 0 where it is not
	// used: in a signal without a say in a promotion, unless the release is Alone.
	Objective float64 `json:"objective"`
	// Group joins signals that look at one thing, such as several buckets of one histogram: together they have one share in
	// the evidence against the canary. Empty: the signal is on its own.
	Group string `json:"group,omitempty"`
	// RollbackOnly says that the signal has no say in a promotion: of a histogram's buckets, the objective's has.
	RollbackOnly bool `json:"rollbackOnly,omitempty"`
	// Exposure says that Requests counts what the events happen in, such as pod-seconds, and Bad the events, such as restarts.
	// It has no say in a promotion: two events are no two answers.
	Exposure bool `json:"exposure,omitempty"`
}

// promotes says whether the signal has to agree to a promotion.
func (s Signal) promotes() bool { return !s.RollbackOnly && !s.Exposure }

// SignalState is everything that earlier looks left behind for one signal.
type SignalState struct {
	// Rollback is the process of the whole canary.
	Rollback Process `json:"rollback"`
	// Without holds the same process without the pods of each group (State.Groups), by group.
	Without []Process `json:"without,omitempty"`
	// WithoutParts holds it without the parts of each group (State.Parts), by group.
	WithoutParts []Process `json:"withoutParts,omitempty"`
	// Relative holds, for each weight of the release, the logarithms of promotion's relative process, one for each atom.
	Relative [][3]float64 `json:"relative"`
	// Canary is the canary's sum over all looks.
	Canary Counts `json:"canary"`
	// Spread is the dispersion over stable's pods.
	Spread Spread `json:"spread"`
	// Shares are the shares of bad requests of the last 60 looks that had requests, in millionths, oldest first.
	Shares []int `json:"shares,omitempty"`
}

// weighed is the state after a look at the whole canary; Without and Spread need the pods and stay as they
// were. whole are the look's guarded increments.
func (s SignalState) weighed(signal Signal, weights []float64, e evidence, whole []float64) SignalState {
	s.Rollback = s.Rollback.next(e.share, whole)
	s.Canary = s.Canary.plus(e.canary)
	if !e.steady || !signal.promotes() {
		return s
	}
	relative := make([][3]float64, len(weights))
	for i, w := range weights {
		relative[i] = signal.relativeNext(w, s.Relative[i], e)
	}
	s.Relative = relative
	return s
}

// promotion is what speaks for the weight at index i of the release's weights.
func (s SignalState) promotion(signal Signal, i int, weight float64) Promotion {
	if !signal.promotes() {
		return Promotion{Weight: weight, Relative: math.Inf(-1), Absolute: math.Inf(1)}
	}
	return Promotion{
		Weight:   weight,
		Relative: relativeLogE(s.Relative[i]),
		Absolute: signal.absoluteLogE(weight, s.Canary),
	}
}

func (s SignalState) down() SignalState {
	s.Rollback = s.Rollback.down()
	s.Without, s.WithoutParts = downEach(s.Without), downEach(s.WithoutParts)
	relative := make([][3]float64, len(s.Relative))
	for i, logs := range s.Relative {
		relative[i] = [3]float64{down(logs[0]), down(logs[1]), down(logs[2])}
	}
	s.Relative = relative
	s.Spread = s.Spread.down()
	return s
}

func downEach(processes []Process) []Process {
	var rounded []Process
	for _, p := range processes {
		rounded = append(rounded, p.down())
	}
	return rounded
}

// finite bounds what a saved number may be; a larger one was not written by this package.
func finite(values ...float64) bool {
	for _, v := range values {
		if math.IsNaN(v) || math.Abs(v) > 1e15 {
			return false
		}
	}
	return true
}
