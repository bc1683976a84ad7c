package verdict

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func errorsOnly() Params {
	return Params{
		Signals:       []Signal{{Name: "errors", Tolerance: 1.5, Objective: 0.01}},
		Weights:       []float64{0.05, 0.2, 0.5, 1},
		FalseRollback: 0.01, FalsePromote: 0.05,
	}
}

func begin(t rapid.TB, params Params) *Release {
	t.Helper()
	r, err := New(params)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func observe(t rapid.TB, r *Release, looks ...Look) {
	t.Helper()
	for _, l := range looks {
		if err := r.Observe(l); err != nil {
			t.Fatal(err)
		}
	}
}

func pod(name string, requests, bad int64) Pod {
	return Pod{Name: name, Counts: []Counts{{requests, bad}}}
}

func look(stable Pod, canary ...Pod) Look {
	return Look{Canary: canary, Stable: []Pod{stable}}
}

func TestResumeContinues(t *testing.T) {
	looks := []Look{
		look(pod("s", 180, 0), pod("a", 10, 0), pod("b", 10, 1)),
		look(pod("s", 170, 1), pod("a", 15, 1), pod("b", 12, 0)),
		{Canary: []Pod{pod("a", 90, 1), pod("c", 20, 2)}, Stable: []Pod{pod("s", 90, 1), pod("u", 9, 3)}, NewWeight: true},
	}
	whole, parts := begin(t, errorsOnly()), begin(t, errorsOnly())
	for _, l := range looks {
		observe(t, whole, l)
		observe(t, parts, l)
		saved, err := parts.Save()
		if err != nil {
			t.Fatal(err)
		}
		if parts, err = Resume(errorsOnly(), saved); err != nil {
			t.Fatal(err)
		}
	}
	got, want := parts.State(), whole.State()
	if g, w := got.Signals[0].Rollback.LogE(), want.Signals[0].Rollback.LogE(); g > w || g < w-1e-5 {
		t.Errorf("log E of the resumed release = %.9f, want at most 1e-5 below %.9f", g, w)
	}
	tolerance := cmp.Comparer(func(a, b float64) bool { return near(a, b, 1e-5) })
	if diff := cmp.Diff(want, got, tolerance); diff != "" {
		t.Errorf("resumed release differs (-whole +resumed):\n%s", diff)
	}
}

func TestResumeRefuses(t *testing.T) {
	r := begin(t, errorsOnly())
	observe(t, r, look(pod("s", 180, 1), pod("a", 10, 0)))
	saved, err := r.Save()
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
		{"atoms missing", errorsOnly(), strings.Replace(string(saved), `"atoms":[`, `"atoms":[1,`, 1), "a process of 19 atoms"},
		{"more bad than requests", errorsOnly(), strings.Replace(string(saved), `{"n":10,"x":0}`, `{"n":10,"x":11}`, 1), "11 bad of 10"},
		{"unknown group", errorsOnly(), strings.Replace(string(saved), `{"a":0}`, `{"a":3}`, 1), `pod "a": there is no group 3`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := Resume(c.params, []byte(c.saved)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Resume = %v, want an error with %q", err, c.want)
			}
		})
	}
}

func TestObserveRefuses(t *testing.T) {
	for _, c := range []struct {
		name, want string
		look       Look
	}{
		{"more bad than requests", `canary: pod "a": signal "errors": 3 bad of 2 requests`, look(pod("s", 9, 0), pod("a", 2, 3))},
		{"negative", "never negative", look(pod("s", 9, -1), pod("a", 2, 0))},
		{"too many", "at most 100000000", look(pod("s", 2_000_000_000, 0), pod("a", 2, 0))},
		{"pod twice", `canary: pod "a" is there twice`, look(pod("s", 9, 0), pod("a", 2, 0), pod("a", 1, 0))},
		{"no signals", "counts of 0 signals", look(pod("s", 9, 0), Pod{Name: "a"})},
		{"second window", "stable's second window", Look{Again: []Counts{{1, 2}}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := begin(t, errorsOnly())
			before := r.State()
			if err := r.Observe(c.look); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Observe = %v, want an error with %q", err, c.want)
			}
			if diff := cmp.Diff(before, r.State()); diff != "" {
				t.Errorf("a refused look changed the release:\n%s", diff)
			}
		})
	}
}

func TestParamsCheck(t *testing.T) {
	for _, c := range []struct {
		name, want string
		change     func(*Params)
	}{
		{"valid", "", func(*Params) {}},
		{"tolerance below 1", "tolerance is 0.5", func(p *Params) { p.Signals[0].Tolerance = 0.5 }},
		{"objective 0", "objective is 0", func(p *Params) { p.Signals[0].Objective = 0 }},
		{"weights fall", "each must exceed", func(p *Params) { p.Weights = []float64{0.5, 0.2, 1} }},
		{"no last weight", "the last must be 1", func(p *Params) { p.Weights = []float64{0.5} }},
		{"alpha 1", "falseRollback is 1", func(p *Params) { p.FalseRollback = 1 }},
		{"beta 0", "falsePromote is 0", func(p *Params) { p.FalsePromote = 0 }},
		{"no signals", "there are no signals", func(p *Params) { p.Signals = nil }},
		{"no objective, no say", "", func(p *Params) { p.Signals = append(p.Signals, Signal{Name: "slow", Tolerance: 2, RollbackOnly: true}) }},
		{"no objective, no say, alone", "objective is 0", func(p *Params) {
			p.Alone, p.Signals = true, append(p.Signals, Signal{Name: "slow", Tolerance: 2, RollbackOnly: true})
		}},
		{"restarts alone", "leave the signal out", func(p *Params) {
			p.Alone, p.Signals = true, append(p.Signals, Signal{Name: "restarts", Tolerance: 2, Objective: 0.01, Exposure: true})
		}},
		{"nothing to promote by", "no signal has a say", func(p *Params) { p.Signals[0].Exposure = true }},
		{"twice", "is there twice", func(p *Params) { p.Signals = append(p.Signals, p.Signals[0]) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := errorsOnly()
			c.change(&p)
			_, err := New(p)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("New = %v, want an error with %q", err, c.want)
			}
		})
	}
}
