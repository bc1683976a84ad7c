package verdict

import (
	"errors"
	"fmt"
)

// A Look is what was counted between two readings of the counters.
type Look struct {
	// Canary lists every pod of the canary, those without requests too: their number decides whether one of them can be
	// told from the revision. Stable lists the pods of stable.
	Canary, Stable []Pod
	// Parts are the canary's requests once more, by the part of the work that they belong to, by whichever pod; none where
	// that is not known. Once named, a part is listed in each look. What belongs to none is left out.
	Parts []Pod
	// Again holds stable's second window for each signal, where stable was read before and after the canary; nil where
	// both revisions were counted at one moment.
	Again []Counts
	// NewWeight marks the first look after a change of weight.
	NewWeight bool
}

// A Pod is what one pod counted in a look, or what was counted of one part of the work.
type Pod struct {
	// Name is unique within the revision and stays with the pod.
	Name string
	// Counts has one entry for each signal, in the order of Params.Signals.
	Counts []Counts
}

func (l Look) check(params Params) error {
	if params.Alone && (len(l.Stable) > 0 || l.Again != nil) {
		return errors.New("stable was counted, but the release is Alone: begin one that compares, or leave stable out")
	}
	signals := params.Signals
	for _, side := range []struct {
		name string
		pods []Pod
	}{{"canary", l.Canary}, {"stable", l.Stable}} {
		if err := checkPods(side.pods, signals); err != nil {
			return fmt.Errorf("%s: %w", side.name, err)
		}
	}
	if err := l.checkParts(signals); err != nil {
		return fmt.Errorf("parts of the work: %w", err)
	}
	if l.Again == nil {
		return nil
	}
	if err := checkCounts(l.Again, signals); err != nil {
		return fmt.Errorf("stable's second window: %w", err)
	}
	return nil
}

func checkPods(pods []Pod, signals []Signal) error {
	seen := map[string]bool{}
	for _, p := range pods {
		if seen[p.Name] {
			return fmt.Errorf("pod %q is there twice: add its counts up first", p.Name)
		}
		seen[p.Name] = true
		if err := checkCounts(p.Counts, signals); err != nil {
			return fmt.Errorf("pod %q: %w", p.Name, err)
		}
	}
	for i, s := range signals {
		if err := sum(of(pods, i)).check(); err != nil {
			return fmt.Errorf("all pods, signal %q: %w", s.Name, err)
		}
	}
	return nil
}

func checkCounts(counts []Counts, signals []Signal) error {
	if len(counts) != len(signals) {
		return fmt.Errorf("counts of %d signals: give one for each of the release's %d", len(counts), len(signals))
	}
	for i, c := range counts {
		if err := c.check(); err != nil {
			return fmt.Errorf("signal %q: %w", signals[i].Name, err)
		}
	}
	return nil
}

// of are the pods' counts of signal i.
func of(pods []Pod, i int) []Counts {
	counts := make([]Counts, len(pods))
	for q, p := range pods {
		counts[q] = p.Counts[i]
	}
	return counts
}
