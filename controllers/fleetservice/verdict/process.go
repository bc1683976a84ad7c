package verdict

import "math"

// The shares of the reserve that go to the atoms at a look: a plain product of increments forgets how to convict, so weight
// is kept back and put in later.
const (
	shareFirst  = 1.0 / 2    // at the release's first look
	shareNew    = 1.0 / 4    // at the first look after a change of weight
	shareSteady = 1.0 / 1000 // at every other look
)

// logCap bounds what one look multiplies an atom by: one burst never convicts.
const logCap = 2.9957322735539909 // ln 20

// Process is one e-process against "the canary's odds of a bad answer are at most the tolerance times stable's", all in
// natural logarithms. P(its value ever reaches 1/α) ≤ α under that hypothesis (Ville 1939).
type Process struct {
	// Atoms are log S_j, one for each odds ratio of rollbackAtoms; empty before the first look.
	Atoms []float64 `json:"atoms,omitempty"`
	// Reserve is log R, the weight that no atom has been given yet. At first 0.
	Reserve float64 `json:"reserve"`
}

// next is the process after a look: first share of the reserve goes to the atoms, then they grow by logs.
func (p Process) next(share float64, logs []float64) Process {
	given := math.Log(share) + p.Reserve - math.Log(float64(len(logs)))
	atoms := make([]float64, len(logs))
	for j, l := range logs {
		atoms[j] = given + l
		if len(p.Atoms) > 0 {
			atoms[j] = logAdd(p.Atoms[j], given) + l
		}
	}
	return Process{Atoms: atoms, Reserve: p.Reserve + math.Log1p(-share)}
}

// LogE is the natural logarithm of the evidence E = Σ_j S_j + R against the canary.
func (p Process) LogE() float64 {
	return logAdd(logTotal(p.Atoms...), p.Reserve)
}

func (p Process) down() Process {
	return Process{Atoms: downAll(p.Atoms), Reserve: down(p.Reserve)}
}
