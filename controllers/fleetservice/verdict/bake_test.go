package verdict

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func beginBake(t rapid.TB, params Params, history ...Counts) *Bake {
	t.Helper()
	b, err := NewBake(params, history)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func bakeOn(t rapid.TB, b *Bake, looks ...Counts) {
	t.Helper()
	for _, c := range looks {
		if err := b.Observe([]Counts{c}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestBake(t *testing.T) {
	known := Counts{60_000, 60}
	for _, c := range []struct {
		name       string
		history    Counts
		looks      []Counts
		ask, alert bool
	}{
		{"nothing seen", known, nil, false, false},
		{"as good as stable", known, slices.Repeat([]Counts{{1000, 1}}, 300), false, false},
		{"10 % bad, one look", known, []Counts{{200, 20}}, true, true},
		{"1 % bad, four looks", known, slices.Repeat([]Counts{{200, 2}}, 4), false, false},
		{"1 % bad, eight looks", known, slices.Repeat([]Counts{{200, 2}}, 8), true, false},
		{"1 % bad, thirty looks", known, slices.Repeat([]Counts{{200, 2}}, 30), true, true},
		{"turns bad after ten minutes", known, append(slices.Repeat([]Counts{{1000, 1}}, 300), Counts{200, 20}), true, true},
		{"within the tolerance of the upper bound", known, slices.Repeat([]Counts{{10_000, 21}}, 300), false, false},
		{"all bad, without history", Counts{}, slices.Repeat([]Counts{{200, 200}}, 30), false, false},
		{"all bad, stable too", Counts{1000, 1000}, slices.Repeat([]Counts{{200, 200}}, 30), false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := beginBake(t, errorsOnly(), c.history)
			bakeOn(t, b, c.looks...)
			if d := b.Ask(); (d.Action == Ask) != c.ask {
				t.Errorf("Ask() = %v, want an Ask: %v", d, c.ask)
			}
			if d := b.Alert(); (d.Action == Alert) != c.alert {
				t.Errorf("Alert() = %v, want an Alert: %v", d, c.alert)
			}
		})
	}
}

func TestBakeAnswered(t *testing.T) {
	b := beginBake(t, errorsOnly(), Counts{60_000, 60})
	bakeOn(t, b, Counts{200, 20})
	told := b.Alert()
	b.Answered()
	if d := b.Ask(); d.Action != Hold || d.LogE != 0 {
		t.Errorf("after the answer Ask() = %v, want a hold without evidence", d)
	}
	if diff := cmp.Diff(told, b.Alert()); diff != "" {
		t.Errorf("the answer changed the alert:\n%s", diff)
	}
	bakeOn(t, b, Counts{200, 20})
	if d := b.Ask(); d.Action != Ask {
		t.Errorf("bad again: Ask() = %v, want an Ask", d)
	}
}

// The signal that asks is named, and another that is fine does not silence it.
func TestBakeOverSignals(t *testing.T) {
	params := errorsOnly()
	params.Signals = append(params.Signals, Signal{Name: "latency", Tolerance: 2, Objective: 0.05})
	b := beginBake(t, params, Counts{60_000, 60}, Counts{60_000, 600})
	if err := b.Observe([]Counts{{200, 0}, {200, 80}}); err != nil {
		t.Fatal(err)
	}
	want := "Ask (Suspicious): latency: 80 of 200 bad, E = "
	if got := b.Ask().String(); !strings.HasPrefix(got, want) {
		t.Errorf("Ask() = %q, want %q …", got, want)
	}
	half := logMean([]float64{b.State().Signals[0].Alert.LogE(), b.State().Signals[1].Alert.LogE()})
	if d := b.Alert(); !near(d.LogE, half, 1e-12) || d.Signal != "latency" {
		t.Errorf("Alert() = %v with log E %g, want latency with the mean %g", d, d.LogE, half)
	}
}

// The detector never holds less than the best evidence since any one look.
func TestBakeDetectorStartsAnew(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var looks []Counts
		for range rapid.IntRange(1, 8).Draw(t, "looks") {
			looks = append(looks, drawCounts(t, "look", 300))
		}
		history := drawCounts(t, "history", 10_000)
		whole := beginBake(t, errorsOnly(), history)
		bakeOn(t, whole, looks...)
		for from := range looks {
			late := beginBake(t, errorsOnly(), history)
			bakeOn(t, late, looks[from:]...)
			if got, least := whole.Ask().LogE, late.Ask().LogE; got < least-1e-9 {
				t.Fatalf("from the first look log M = %g, from look %d alone %g", got, from, least)
			}
		}
	})
}

// The bound of alerts: at every rate that the tolerance allows, a look's mean is at most 1, and 1 at the largest.
func TestBakeMeanIsAtMostOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64Range(1, 60).Draw(t, "n")
		nullLogOdds := rapid.Float64Range(-8, 8).Draw(t, "log odds of the null")
		ratios := Signal{Tolerance: rapid.Float64Range(1, 4).Draw(t, "tolerance")}.ratios()
		for _, below := range []float64{0, 0.3, 3} {
			means := binomialExpectation(n, nullLogOdds-below, func(x int64) []float64 {
				return binomialIncrements(Counts{n, x}, nullLogOdds, ratios)
			})
			for j, mean := range means {
				if mean > 1+1e-9 || below == 0 && mean < 1-1e-9 {
					t.Fatalf("odds %g below the null, atom %d: mean %.12g", below, j, mean)
				}
			}
		}
	})
}

// binomialExpectation is the mean of exp(logs) over the binomial law of n requests.
func binomialExpectation(n int64, logOdds float64, logs func(x int64) []float64) []float64 {
	var means []float64
	for x := range n + 1 {
		p := logChoose(float64(n), float64(x)) + float64(x)*logOdds - float64(n)*softplus(logOdds)
		values := logs(x)
		if means == nil {
			means = make([]float64, len(values))
		}
		for j, v := range values {
			means[j] += math.Exp(p + v)
		}
	}
	return means
}

func TestBakeResumes(t *testing.T) {
	looks := []Counts{{200, 1}, {180, 0}, {220, 3}, {200, 2}}
	whole, parts := beginBake(t, errorsOnly(), Counts{60_000, 60}), beginBake(t, errorsOnly(), Counts{60_000, 60})
	for _, c := range looks {
		saved, err := parts.Save()
		if err != nil {
			t.Fatal(err)
		}
		if parts, err = ResumeBake(errorsOnly(), saved); err != nil {
			t.Fatal(err)
		}
		bakeOn(t, whole, c)
		bakeOn(t, parts, c)
	}
	if got, want := parts.Ask().LogE, whole.Ask().LogE; got > want {
		t.Errorf("resumed, the bake has log E %g, more than %g", got, want)
	}
	tolerance := cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) <= 1e-3 })
	if diff := cmp.Diff(whole.State(), parts.State(), tolerance); diff != "" {
		t.Errorf("resumed bake differs (-whole +resumed):\n%s", diff)
	}
}

func TestResumeBakeRefuses(t *testing.T) {
	b := beginBake(t, errorsOnly(), Counts{60_000, 60})
	bakeOn(t, b, Counts{200, 1})
	saved, err := b.Save()
	if err != nil {
		t.Fatal(err)
	}
	stricter := errorsOnly()
	stricter.Signals[0].Tolerance = 1.2
	for _, c := range []struct {
		name   string
		params Params
		saved  string
		want   string
	}{
		{"other tolerance", stricter, string(saved), "other signals, weights or bounds"},
		{"no JSON", errorsOnly(), "{", "cannot be read"},
		{"an atom too many", errorsOnly(), strings.Replace(string(saved), `"detector":[`, `"detector":[1,`, 1), "19 and 18 atoms, want 18"},
		{"a wild number", errorsOnly(), strings.Replace(string(saved), `"reserve":`, `"reserve":1e20,"x":`, 1), "not finite"},
		{"more bad than requests", errorsOnly(), strings.Replace(string(saved), `{"n":200,"x":1}`, `{"n":200,"x":201}`, 1), "201 bad of 200"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := ResumeBake(c.params, []byte(c.saved)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("ResumeBake = %v, want an error with %q", err, c.want)
			}
		})
	}
}

func TestBakeRefuses(t *testing.T) {
	if _, err := NewBake(errorsOnly(), nil); err == nil || !strings.Contains(err.Error(), "history of 0 signals") {
		t.Errorf("no history: %v", err)
	}
	if _, err := NewBake(errorsOnly(), []Counts{{1, 2}}); err == nil || !strings.Contains(err.Error(), `signal "errors": the sums are 2 bad of 1`) {
		t.Errorf("impossible history: %v", err)
	}
	b := beginBake(t, errorsOnly(), Counts{})
	for _, counts := range [][]Counts{nil, {{1, 2}}, {{-1, 0}}} {
		if err := b.Observe(counts); err == nil {
			t.Errorf("Observe(%v) takes them", counts)
		}
	}
	if diff := cmp.Diff(beginBake(t, errorsOnly(), Counts{}).State(), b.State()); diff != "" {
		t.Errorf("refused counts changed the bake:\n%s", diff)
	}
}

// After all traffic, the comparison goes on where the promotion left it, with half of the requests at the old revision.
func TestReleaseGoesOnAfterPromotion(t *testing.T) {
	for _, c := range []struct {
		name string
		bad  int64
		want Decision
	}{
		{"bad", 10, Decision{Action: Rollback, Reason: Worse}},
		{"good", 0, Decision{Action: Hold, Reason: Complete}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := begin(t, errorsOnly())
			observe(t, r, times(100, look(pod("s", 100, 0), pod("a", 50, 0), pod("b", 50, 0)))...)
			before := r.State().Signals[0].Rollback
			asking := look(pod("s", 100, 0), pod("a", 50, c.bad), pod("b", 50, c.bad))
			asking.NewWeight = true
			observe(t, r, asking)
			given := 1 - math.Exp(r.State().Signals[0].Rollback.Reserve-before.Reserve)
			if !near(given, shareNew, 1e-12) {
				t.Errorf("%g of the reserve were given, want %g: the comparison does not start again", given, shareNew)
			}
			asking.NewWeight = false
			observe(t, r, times(2, asking)...)
			got, err := r.Decide(Question{})
			if err != nil || got.Action != c.want.Action || got.Reason != c.want.Reason {
				t.Errorf("Decide = %v, %v; want %s (%s)", got, err, c.want.Action, c.want.Reason)
			}
		})
	}
}

func TestBakeNothingIsNotANumber(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		params := errorsOnly()
		params.Signals[0].Tolerance = rapid.Float64Range(1, 100).Draw(t, "tolerance")
		most := rapid.SampledFrom([]int64{0, 1, 1000, maxRequests}).Draw(t, "most requests")
		b := beginBake(t, params, drawCounts(t, "history", 1000*most))
		for range rapid.IntRange(0, 5).Draw(t, "looks") {
			bakeOn(t, b, drawCounts(t, "look", most))
		}
		saved, err := b.Save()
		if err != nil {
			t.Fatalf("Save: %v", err)
		}
		again, err := ResumeBake(params, saved)
		if err != nil {
			t.Fatalf("ResumeBake: %v", err)
		}
		for name, pair := range map[string][2]Decision{"Ask": {b.Ask(), again.Ask()}, "Alert": {b.Alert(), again.Alert()}} {
			if whole, resumed := pair[0].LogE, pair[1].LogE; math.IsNaN(whole) || math.IsInf(whole, 0) || resumed > whole {
				t.Fatalf("%s: log E %g, resumed %g: want finite, and not more", name, whole, resumed)
			}
		}
	})
}

func TestAlertKeepsReserve(t *testing.T) {
	b := beginBake(t, errorsOnly(), Counts{60_000, 60})
	bakeOn(t, b, slices.Repeat([]Counts{{0, 0}}, 300)...)
	if got, want := math.Exp(b.State().Signals[0].Alert.Reserve), math.Pow(299./300, 300); !near(got, want, 1e-9) {
		t.Errorf("after 300 looks an alert keeps %g of its reserve, want %g", got, want)
	}
	if got := b.Alert().LogE; !near(got, 0, 1e-9) {
		t.Errorf("without requests log E = %g, want 0", got)
	}
}
