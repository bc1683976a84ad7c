package evidence

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"movieexample.com/fleet/controllers/fleetservice/signals"
	"movieexample.com/fleet/controllers/fleetservice/verdict"
)

// A large book: 100 pods, 20 callers, three signals, ten weights.
func largeBook(t *testing.T) *Book {
	r := release(signals.Errors, signals.Refusals, signals.Latency)
	r.Params.Weights = []float64{0.02, 0.03, 0.05, 0.08, 0.13, 0.21, 0.34, 0.55, 0.89, 1}
	w, b := &world{now: began.Add(time.Minute)}, begin(t, r)
	uid := func(kind string, q int) string {
		return fmt.Sprintf("%s-7d9c5b8f6d-%05d-1111-2222-3333-444444444444", kind, q)
	}
	for q := range 100 {
		p := w.start(uid("rating", q), []string{"old", "new"}[q%2], began.Add(-time.Hour))
		p.said = map[string]signals.Total{signals.Errors: {}, signals.Refusals: {}, signals.Latency: {}}
	}
	for q := range 20 {
		w.calling(uid("movie", q))
	}
	b.Add(w.reading(), at(1))
	for range 70 {
		for k, p := range w.pods {
			for name, s := range p.said {
				p.said[name] = signals.Total{Requests: s.Requests + 12345678/70, Bad: s.Bad + int64(k)}
			}
		}
		for _, c := range w.callers {
			c.sees("old", 1000, 7)
			c.sees("new", 10, 1)
		}
		b.Add(w.after(time.Second).reading(), at(1))
	}
	return b
}

func TestSavedBookIsSmall(t *testing.T) {
	raw, err := largeBook(t).Save()
	if err != nil {
		t.Fatalf("Save() = %v, want no error", err)
	}
	if most := 100 << 10; len(raw) > most {
		t.Errorf("a book of 100 pods, 20 callers, 3 signals, 10 weights has %d bytes, want at most %d", len(raw), most)
	}
	t.Logf("%d bytes", len(raw))
}

func TestLoadLosesNothing(t *testing.T) {
	b := largeBook(t)
	loaded := reload(t, b)
	want, err := json.Marshal(b.state)
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(loaded.state)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("a book that was loaded has other counts: %d bytes, want %d", len(got), len(want))
	}
	if was, is := b.verdict.LogE(), loaded.verdict.LogE(); is > was || is < was-1e-4 {
		t.Errorf("log E is %g after loading, was %g, want at most that and hardly less", is, was)
	}
}

func TestLoadRefuses(t *testing.T) {
	w, b := newWorld(1, 1), begin(t, release())
	b.Add(w.reading(), at(10))
	w.run(b, at(10), 5, flow{10, 1, 90, 0})
	raw, err := b.Save()
	if err != nil {
		t.Fatalf("Save() = %v, want no error", err)
	}
	change := func(path string, value any) []byte {
		var saved map[string]any
		if err := json.Unmarshal(raw, &saved); err != nil {
			t.Fatal(err)
		}
		into, keys := saved, strings.Split(path, ".")
		for _, key := range keys[:len(keys)-1] {
			into = into[key].(map[string]any)
		}
		into[keys[len(keys)-1]] = value
		out, err := json.Marshal(saved)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	retried, tolerant := release(), release()
	retried.Began = began.Add(time.Second)
	tolerant.Params.Signals = []verdict.Signal{{Name: signals.Errors, Tolerance: 2, Objective: 0.01}}
	for _, c := range []struct {
		name    string
		release Release
		raw     []byte
		want    string
	}{
		{"no JSON", release(), raw[:len(raw)/2], "cannot be read, begin anew"},
		{"nothing", release(), []byte("{}"), "has version 0"},
		{"another version", release(), change("version", 1), "has version 1"},
		{"another canary", release(), change("canary", "newer"), "about canary newer beside old"},
		{"a retry", retried, raw, "not about this release: begin anew"},
		{"another tolerance", tolerant, raw, "other signals, weights or bounds"},
		{"a share", release(), change("state.position.percent", 101), "a share of 101 percent"},
		{"a source", release(), change("state.source", "nobody"), `requests counted by "nobody"`},
		{"a negative sum", release(), change("state.canary", []any{map[string]any{"n": -1, "x": 0}}), "0 bad of -1 requests"},
		{"too many signals", release(), change("state.stable", []any{map[string]any{}, map[string]any{}}), "counts of 2 signals"},
		{"more bad than requests", release(), change("state.open.together.canary", map[string]any{"ca": []any{map[string]any{"n": 1, "x": 2}}}), "2 bad of 1 requests"},
		{"no counter", release(), change("state.pods", map[string]any{"ca": nil}), "what pod ca said"},
		{"no caller", release(), change("state.callers", map[string]any{"x": nil}), "what caller x said"},
		{"an unknown signal", release(), change("state.notices.absent", []any{map[string]any{"signal": 3}}), "there is no signal 3"},
		{"a negative step", release(), change("state.step.stable", -5), "a number is negative"},
		{"a damaged verdict", release(), change("verdict.signals", []any{}), "resume the verdict"},
		{"a damaged bake", release(), change("bake", map[string]any{"params": nil}), "resume the bake"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := Load(c.release, c.raw); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Load() = %v, want an error with %q", err, c.want)
			}
		})
	}
}

func TestSame(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Release)
		want   bool
	}{
		{"the same in another zone", func(r *Release) { r.Began = r.Began.In(time.FixedZone("", 3600)) }, true},
		{"another canary", func(r *Release) { r.Canary = "newer" }, false},
		{"another stable", func(r *Release) { r.Stable = "older" }, false},
		{"a retry", func(r *Release) { r.Began = r.Began.Add(time.Second) }, false},
		{"other steps", func(r *Release) { r.Params.Weights = []float64{1} }, false},
		{"another bound", func(r *Release) { r.Params.FalseRollback = 0.02 }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := release()
			c.change(&r)
			if got := r.Same(release()); got != c.want {
				t.Errorf("Same() = %v, want %v", got, c.want)
			}
		})
	}
}

func TestNewRefusesParameters(t *testing.T) {
	r := release()
	r.Params.Weights = nil
	if _, err := New(r); err == nil || !strings.Contains(err.Error(), "the last must be 1") {
		t.Errorf("New without weights = %v, want what is wrong", err)
	}
}

// Whatever stands in the ConfigMap, the operator goes on.
func FuzzLoad(f *testing.F) {
	w := newWorld(1, 1)
	b, err := New(release())
	if err != nil {
		f.Fatal(err)
	}
	w.calling("caller")
	b.Add(w.reading(), at(10))
	w.run(b, at(10), 5, flow{10, 1, 90, 0})
	raw, err := b.Save()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(raw))
	f.Fuzz(func(t *testing.T, raw string) {
		b, err := Load(release(), []byte(raw))
		if err != nil {
			return
		}
		w := newWorld(1, 2)
		w.calling("caller")
		for _, percent := range []int32{10, 10, 50, 50, 100, 100, 50} {
			w.run(b, at(percent), 2, flow{10, 1, 90, 0})
			b.Close(w.now)
			b.Judge(Question{Next: 100, MaxStep: time.Minute})
		}
		if _, err := b.Save(); err != nil {
			t.Errorf("a book that was loaded cannot be saved: %v", err)
		}
	})
}
