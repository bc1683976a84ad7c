package verdict

import (
	"encoding/json"
	"math"
	"testing"
)

func (l vectorLook) evidence(first bool) evidence {
	e := evidence{
		canary: Counts{l.NC, l.XC}, stable: Counts{l.NS, l.XS},
		share: shareSteady, spread: 1, dead: l.Total, steady: l.Steady == nil || *l.Steady,
	}
	if l.NB != nil {
		e.again = &Counts{*l.NB, l.XB}
	}
	if l.Gamma != 0 {
		e.spread = 1 / l.Gamma
	}
	if first {
		e.share = shareFirst
	} else if l.New {
		e.share = shareNew
	}
	return e
}

func TestSequences(t *testing.T) {
	signal := Signal{Tolerance: 1.5, Objective: 0.01}
	for _, v := range vectors(t, "sequence") {
		t.Run(v.Name, func(t *testing.T) {
			weights := v.Params.Weights
			if weights == nil {
				weights = []float64{0.05, 0.2, 0.5, 1}
			}
			var want []vectorWant
			if err := json.Unmarshal(v.Want, &want); err != nil {
				t.Fatal(err)
			}
			every := max(1, v.Every)
			if len(want) != len(v.Looks)/every {
				t.Fatalf("%d looks, %d wanted results", len(v.Looks), len(want))
			}
			state := SignalState{Relative: make([][3]float64, len(weights))}
			for i, look := range v.Looks {
				e := look.evidence(i == 0)
				state = state.weighed(signal, weights, e, e.guarded(signal))
				if (i+1)%every == 0 {
					compare(t, i+1, state, signal, want[i/every])
				}
			}
		})
	}
}

func compare(t *testing.T, looks int, got SignalState, signal Signal, want vectorWant) {
	t.Helper()
	if e := got.Rollback.LogE(); !near(e, want.Rollback, 1e-9) {
		t.Errorf("after %d looks: rollback log E = %.15g, want %.15g", looks, e, want.Rollback)
	}
	if len(got.Relative) != len(want.Promote) {
		t.Fatalf("after %d looks: %d promotions, want %d", looks, len(got.Relative), len(want.Promote))
	}
	for i, w := range want.Promote {
		p := got.promotion(signal, i, w.Weight)
		for _, c := range []struct {
			name      string
			got, want float64
		}{{"relative", p.Relative, w.Relative}, {"absolute", p.Absolute, w.Absolute}, {"mean", p.LogE(), w.LogE}} {
			if !near(c.got, c.want, 1e-9) || math.IsNaN(c.got) {
				t.Errorf("after %d looks, weight %g: %s log E = %.15g, want %.15g", looks, w.Weight, c.name, c.got, c.want)
			}
		}
	}
}
