package verdict

import (
	"math"
	"testing"
)

// The figures are VERDICT's: after 30 minutes at weight 10 with looks of 2 s.
func TestSmallestEffect(t *testing.T) {
	r := begin(t, errorsOnly())
	for _, c := range []struct {
		name       string
		base, rate float64
		want       float64
	}{
		{"base 0.1 %, 1 a second", 0.001, 1, 35},
		{"base 1 %, 1 a second", 0.01, 1, 8},
		{"base 0.1 %, 10 a second", 0.001, 10, 7.5},
		{"base 1 %, 10 a second", 0.01, 10, 3},
		{"base 0.1 %, 100 a second", 0.001, 100, 3},
		{"base 1 %, 100 a second", 0.01, 100, 1.9},
	} {
		t.Run(c.name, func(t *testing.T) {
			stable := Counts{Requests: 1_000_000, Bad: int64(1_000_000 * c.base)}
			got := r.SmallestEffect(0, Traffic{Canary: 0.2 * c.rate, Stable: 1.8 * c.rate, History: stable}, 900)
			if math.Abs(got/c.want-1) > 0.08 {
				t.Errorf("SmallestEffect = %.3g, want about %g", got, c.want)
			}
		})
	}
	if got := r.SmallestEffect(0, Traffic{Canary: 0.001, Stable: 1, History: Counts{100, 1}}, 10); !math.IsInf(got, 1) {
		t.Errorf("hardly any traffic: SmallestEffect = %g, want +Inf", got)
	}
}

func TestLooksLeft(t *testing.T) {
	const next = 1
	traffic := Traffic{Canary: 20, Stable: 180, History: Counts{100_000, 100}}
	r := begin(t, errorsOnly())
	observe(t, r, times(5, look(pod("s", 180, 0), pod("a", 20, 0)))...)
	left := r.LooksLeft(0, next, traffic)
	took := 0.0
	for ; r.Promotion(0, next).LogE() < math.Log(20); took++ {
		observe(t, r, look(pod("s", 180, 0), pod("a", 20, 0)))
		if took > 1000 {
			t.Fatal("never shown")
		}
	}
	if took < left/2 || took > left*2 {
		t.Errorf("LooksLeft said %.1f, it took %g", left, took)
	}
	if got := r.LooksLeft(0, next, traffic); got != 0 {
		t.Errorf("LooksLeft after it was shown = %g, want 0", got)
	}
	if got := r.LooksLeft(0, 3, Traffic{}); !math.IsInf(got, 1) {
		t.Errorf("LooksLeft without traffic = %g, want +Inf", got)
	}
}
