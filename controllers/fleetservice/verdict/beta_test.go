package verdict

import (
	"fmt"
	"math"
	"testing"
)

// The first two are those that textbooks print as (0.087, 0.491) and (0.049, 0.176); all were computed apart from this code
// with 30 digits or more, from sums of the binomial law.
func TestUpper(t *testing.T) {
	for _, c := range []struct {
		counts      Counts
		doubt, want float64
	}{
		{Counts{20, 5}, 0.025, 0.4910458717079575},
		{Counts{100, 10}, 0.025, 0.1762225977400227},
		{Counts{10, 0}, 0.001, 0.4988127663727277},
		{Counts{1000, 3}, 0.001, 0.01299669714776375},
		{Counts{60_000, 60}, 0.001, 0.00146644485517112},
		{Counts{60_000, 600}, 0.001, 0.0113194045152656},
		{Counts{1_000_000, 1000}, 0.001, 0.00110157095437687},
		{Counts{100_000, 30_000}, 0.001, 0.304496484804809},
		{Counts{100_000_000, 100}, 0.001, 1.34924295500562e-6},
	} {
		t.Run(fmt.Sprint(c.counts), func(t *testing.T) {
			if got := expit(c.counts.upper(c.doubt)); math.Abs(got/c.want-1) > 1e-7 {
				t.Errorf("upper(%g) of %v = %.15g, want %.15g", c.doubt, c.counts, got, c.want)
			}
		})
	}
}

// Where there is a closed form, it is the measure.
func TestUpperAtTheEnds(t *testing.T) {
	for _, n := range []int64{1, 10, 1000, 1_000_000, 1_000_000_000} {
		none, almost := Counts{n, 0}.upper(0.001), Counts{n, n - 1}.upper(0.001)
		if want := -math.Expm1(math.Log(0.001) / float64(n)); math.Abs(expit(none)/want-1) > 1e-6 {
			t.Errorf("none bad of %d: upper = %.12g, want %.12g", n, expit(none), want)
		}
		if want := -math.Expm1(math.Log1p(-0.001) / float64(n)); math.Abs(expit(-almost)/want-1) > 1e-6 {
			t.Errorf("all but one bad of %d: upper = 1 - %.12g, want 1 - %.12g", n, expit(-almost), want)
		}
	}
	for _, c := range []Counts{{0, 0}, {5, 5}} {
		if got := c.upper(0.001); got != certainty {
			t.Errorf("upper of %v = %g, want %d: nothing is ruled out", c, got, certainty)
		}
	}
}
