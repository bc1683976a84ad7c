package evidence

import (
	"maps"
	"time"

	"movieexample.com/fleet/controllers/fleetservice/signals"
	"movieexample.com/fleet/controllers/fleetservice/verdict"
)

var began = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// A world is a service with a canary and its callers, as their pages of metrics show them.
type world struct {
	now     time.Time
	pods    []*pod
	callers []*callingPod
	slow    string
}

type pod struct {
	uid, revision string
	began         time.Time
	err           string
	mute          bool // its page gives no signal
	waits         string
	said          map[string]signals.Total
	again         map[string]signals.Total
	split         map[int32]signals.Total // of its errors; nil where it does not tell
	next          map[int32]int64         // how far it is with its partitions
}

type callingPod struct {
	uid  string
	err  string
	said map[string]map[string]signals.Total
}

// newWorld begins 5 s after the release, with pods of stable that are an hour old and fresh ones of the canary.
func newWorld(stable, canary int) *world {
	w := &world{now: began.Add(5 * time.Second)}
	for q := range stable {
		w.start("s"+string(rune('a'+q)), "old", began.Add(-time.Hour))
	}
	for q := range canary {
		w.start("c"+string(rune('a'+q)), "new", began.Add(2*time.Second))
	}
	return w
}

func (w *world) start(uid, revision string, at time.Time) *pod {
	p := &pod{uid: uid, revision: revision, began: at, said: map[string]signals.Total{signals.Errors: {}}}
	w.pods = append(w.pods, p)
	return p
}

func (w *world) pod(uid string) *pod {
	for _, p := range w.pods {
		if p.uid == uid {
			return p
		}
	}
	panic("no pod " + uid)
}

// ends lets a pod end so many requests.
func (w *world) ends(uid string, requests, bad int64) {
	p := w.pod(uid)
	t := p.said[signals.Errors]
	p.said[signals.Errors] = signals.Total{Requests: t.Requests + requests, Bad: t.Bad + bad}
}

func (w *world) calling(uid string) *callingPod {
	c := &callingPod{uid: uid, said: map[string]map[string]signals.Total{"old": {signals.Errors: {}}, "new": {signals.Errors: {}}}}
	w.callers = append(w.callers, c)
	return c
}

// sees lets a caller count so many outcomes of a revision.
func (c *callingPod) sees(revision string, requests, bad int64) {
	t := c.said[revision][signals.Errors]
	c.said[revision][signals.Errors] = signals.Total{Requests: t.Requests + requests, Bad: t.Bad + bad}
}

func (w *world) after(d time.Duration) *world {
	w.now = w.now.Add(d)
	return w
}

// A flow is what one second of requests does.
type flow struct{ canary, canaryBad, stable, stableBad int64 }

// happens lets requests end, at the first canary pod and the first pod of stable, and at a caller that sees all of it, if any.
func (w *world) happens(f flow) {
	w.ends("ca", f.canary, f.canaryBad)
	w.ends("sa", f.stable, f.stableBad)
	for _, c := range w.callers {
		c.sees("new", f.canary, f.canaryBad)
		c.sees("old", f.stable, f.stableBad)
	}
}

// run lets seconds pass, each with a reading.
func (w *world) run(b *Book, at Position, seconds int, f flow) {
	for range seconds {
		w.happens(f)
		b.Add(w.after(time.Second).reading(), at)
	}
}

func (w *world) reading() signals.Reading {
	r := signals.Reading{At: w.now, Slow: w.slow}
	for _, p := range w.pods {
		reading := signals.PodReading{UID: p.uid, Name: p.uid, Revision: p.revision, Began: p.began, Err: p.err, Waits: p.waits}
		if p.err == "" {
			reading.Totals, reading.Again = maps.Clone(p.said), maps.Clone(p.again)
			if p.split != nil {
				reading.Split = map[string]map[int32]signals.Total{signals.Errors: maps.Clone(p.split)}
			}
		}
		for number, next := range p.next {
			if reading.Partitions == nil {
				reading.Partitions = map[int32]signals.Partition{}
			}
			reading.Partitions[number] = signals.Partition{Next: next}
		}
		if p.mute {
			reading.Totals = nil
		}
		r.Pods = append(r.Pods, reading)
	}
	for _, c := range w.callers {
		reading := signals.CallerReading{UID: c.uid, Name: c.uid, Err: c.err, Revisions: map[string]map[string]signals.Total{}}
		for revision, said := range c.said {
			reading.Revisions[revision] = maps.Clone(said)
		}
		r.Callers = append(r.Callers, reading)
	}
	return r
}

func release(names ...string) Release {
	if len(names) == 0 {
		names = []string{signals.Errors}
	}
	r := Release{Canary: "new", Stable: "old", Began: began, Params: verdict.Params{
		Weights: []float64{0.05, 0.2, 0.5, 1}, FalseRollback: 0.01, FalsePromote: 0.05,
	}}
	for _, name := range names {
		r.Params.Signals = append(r.Params.Signals, verdict.Signal{Name: name, Tolerance: 1.5, Objective: 0.01})
	}
	return r
}

// tester is a test or a property of one.
type tester interface {
	Helper()
	Fatalf(format string, args ...any)
}

func begin(t tester, r Release) *Book {
	t.Helper()
	b, err := New(r)
	if err != nil {
		t.Fatalf("New(%v) = %v, want no error", r, err)
	}
	return b
}

// at is the position with so much for the canary since the world began.
func at(percent int32) Position {
	return Position{Percent: percent, Since: began.Add(5 * time.Second)}
}

// reload is the book as another process finds it.
func reload(t tester, b *Book) *Book {
	t.Helper()
	raw, err := b.Save()
	if err != nil {
		t.Fatalf("Save() = %v, want no error", err)
	}
	loaded, err := Load(b.release, raw)
	if err != nil {
		t.Fatalf("Load(Save()) = %v, want no error", err)
	}
	return loaded
}

// compared are the sums of what was compared in this step.
func (b *Book) compared() [2]int64 { return [2]int64{b.state.Step.Canary, b.state.Step.Stable} }

func counted(requests, bad int64) verdict.Counts {
	return verdict.Counts{Requests: requests, Bad: bad}
}
