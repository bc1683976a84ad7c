package evidence

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"movieexample.com/fleet/controllers/fleetservice/signals"
	"movieexample.com/fleet/controllers/fleetservice/verdict"
)

// What is counted after the first reading: the canary's sum, stable's, and how much of both was compared.
func TestCounters(t *testing.T) {
	type want struct {
		Canary, Stable verdict.Counts
		Compared       [2]int64
	}
	for _, c := range []struct {
		name   string
		before func(*world)
		then   func(*world)
		want   want
	}{
		{
			"what a pod of stable counted before the first reading does not count",
			func(w *world) { w.ends("sa", 1000, 500) }, func(w *world) { w.ends("sa", 20, 2); w.ends("ca", 5, 1) },
			want{counted(5, 1), counted(20, 2), [2]int64{5, 20}},
		},
		{
			"the canary's first answers count, but compare nothing",
			func(w *world) { w.ends("ca", 7, 3) }, func(w *world) { w.ends("sa", 20, 0); w.ends("ca", 5, 1) },
			want{counted(12, 4), counted(20, 0), [2]int64{5, 20}},
		},
		{
			"a counter that went down began anew",
			func(w *world) { w.ends("sa", 1000, 500) },
			func(w *world) {
				w.pod("sa").said[signals.Errors] = signals.Total{Requests: 30, Bad: 1}
				w.ends("ca", 5, 0)
			},
			want{counted(5, 0), counted(30, 1), [2]int64{5, 30}},
		},
		{
			"a container that began anew counts from zero, though its counter is larger than before",
			func(w *world) { w.ends("ca", 4, 0) },
			func(w *world) {
				p := w.pod("ca")
				p.began, p.said[signals.Errors] = w.now, signals.Total{Requests: 6, Bad: 6}
				w.ends("sa", 20, 0)
			},
			want{counted(10, 6), counted(20, 0), [2]int64{6, 20}},
		},
		{
			"a pod that began since counts from zero",
			func(*world) {},
			func(w *world) {
				w.start("cb", "new", w.now)
				w.ends("cb", 3, 2)
				w.ends("sa", 20, 0)
			},
			want{counted(3, 2), counted(20, 0), [2]int64{3, 20}},
		},
		{
			"a pod that began after the release but before the look compares nothing yet",
			func(*world) {},
			func(w *world) {
				w.start("sb", "old", began.Add(time.Second))
				w.ends("sb", 30, 2)
				w.ends("sa", 20, 0)
				w.ends("ca", 1, 0)
			},
			want{counted(1, 0), counted(50, 2), [2]int64{1, 20}},
		},
		{
			"a pod older than the release, seen late, counts from its first reading",
			func(*world) {},
			func(w *world) {
				w.start("sb", "old", began.Add(-time.Hour))
				w.ends("sb", 3000, 2000)
				w.ends("sa", 20, 0)
				w.ends("ca", 1, 0)
			},
			want{counted(1, 0), counted(20, 0), [2]int64{1, 20}},
		},
		{
			"a pod that is gone adds nothing",
			func(w *world) { w.start("sb", "old", began.Add(-time.Hour)) },
			func(w *world) {
				w.ends("sb", 500, 500)
				w.pods = w.pods[:2]
				w.ends("sa", 20, 0)
				w.ends("ca", 1, 0)
			},
			want{counted(1, 0), counted(20, 0), [2]int64{1, 20}},
		},
		{
			"fewer bad ones of more requests are none",
			func(w *world) { w.ends("sa", 100, 50) },
			func(w *world) {
				w.pod("sa").said[signals.Errors] = signals.Total{Requests: 120, Bad: 40}
				w.ends("ca", 1, 0)
			},
			want{counted(1, 0), counted(20, 0), [2]int64{1, 20}},
		},
		{
			"more bad ones than requests are as many",
			func(w *world) { w.ends("sa", 100, 0) },
			func(w *world) {
				w.pod("sa").said[signals.Errors] = signals.Total{Requests: 120, Bad: 40}
				w.ends("ca", 1, 0)
			},
			want{counted(1, 0), counted(20, 20), [2]int64{1, 20}},
		},
		{
			"another revision's pods are nobody's",
			func(w *world) { w.start("xa", "leaving", began.Add(-time.Hour)) },
			func(w *world) { w.ends("xa", 50, 50); w.ends("sa", 20, 0); w.ends("ca", 1, 0) },
			want{counted(1, 0), counted(20, 0), [2]int64{1, 20}},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, b := newWorld(1, 1), begin(t, release())
			c.before(w)
			b.Add(w.reading(), at(10))
			w.after(2 * time.Second)
			c.then(w)
			b = reload(t, b)
			b.Add(w.reading(), at(10))
			got := want{b.state.Canary.at(0), b.state.Stable.at(0), b.compared()}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("counted (-want +got):\n%s", diff)
			}
			if len(b.state.Pods) != len(w.pods) {
				t.Errorf("%d counters are kept of %d pods", len(b.state.Pods), len(w.pods))
			}
		})
	}
}

// A page that is away while requests move comes back with counts from before: they compare nothing, by either count.
func TestALatePageIsNotCompared(t *testing.T) {
	w, b := newWorld(2, 1), begin(t, release())
	c := w.calling("caller")
	b.Add(w.reading(), at(1))
	w.pod("sb").err, c.err = "timeout", "timeout"
	w.ends("sb", 1000, 900)
	c.sees("old", 1000, 900)
	moved := Position{Percent: 20, Since: w.after(time.Second).now}
	b.Add(w.reading(), moved)
	w.pod("sb").err, c.err = "", ""
	w.ends("sa", 50, 0)
	w.ends("ca", 10, 0)
	b.Add(w.after(time.Second).reading(), moved)
	if got, want := b.compared(), [2]int64{10, 50}; got != want {
		t.Errorf("compared %v, want %v", got, want)
	}
	w.ends("sb", 50, 0)
	w.ends("ca", 10, 0)
	b.Add(w.after(time.Second).reading(), moved)
	if got, want := b.compared(), [2]int64{20, 100}; got != want {
		t.Errorf("a look later compared %v, want %v", got, want)
	}
}

// A page without a signal, or a caller's that cannot be read, is counted from where it was when it is back.
func TestPagesThatComeBack(t *testing.T) {
	for _, called := range []bool{false, true} {
		w, b := newWorld(1, 1), begin(t, release())
		if called {
			w.calling("caller")
		}
		w.happens(flow{100, 50, 900, 90})
		b.Add(w.reading(), at(10))
		w.run(b, at(10), 3, flow{10, 1, 90, 0})
		w.pod("sa").mute = true
		if called {
			w.callers[0].err = "timeout"
		}
		w.run(b, at(10), 1, flow{10, 1, 90, 0})
		w.pod("sa").mute = false
		if called {
			w.callers[0].err = ""
		}
		w.run(b, at(10), 3, flow{10, 1, 90, 0})
		b.Close(w.now)
		if called && b.state.Source != callers {
			t.Errorf("a page that was away once: counted by %s, want callers", b.state.Source)
		}
		if got, want := b.compared(), [2]int64{70, 630}; got != want {
			t.Errorf("with a caller: %v: compared %v, want %v", called, got, want)
		}
		if got, want := b.state.Stable.at(0), counted(630, 0); got != want {
			t.Errorf("with a caller: %v: stable's sum is %v, want %v", called, got, want)
		}
	}
}

func TestLatencyLeavesOutTheFirstSeconds(t *testing.T) {
	sum := func(by func(w *world)) (int64, int64) {
		w, b := newWorld(1, 1), begin(t, release(signals.Errors, signals.Latency))
		by(w)
		b.Add(w.reading(), at(50))
		for range 16 {
			for _, p := range w.pods {
				w.ends(p.uid, 20, 0)
				slow := p.said[signals.Latency]
				p.said[signals.Latency] = signals.Total{Requests: slow.Requests + 20, Bad: slow.Bad + 20}
			}
			for _, c := range w.callers {
				for _, said := range c.said {
					n := said[signals.Errors].Requests + 20
					said[signals.Errors], said[signals.Latency] = signals.Total{Requests: n}, signals.Total{Requests: n, Bad: n}
				}
			}
			b.Add(w.after(time.Second).reading(), at(50))
		}
		if b.state.Canary.at(0) != counted(320, 0) {
			t.Errorf("the canary's errors are %v, want 0 of 320: they leave out nothing", b.state.Canary.at(0))
		}
		return b.state.Canary.at(1).Requests, b.state.Stable.at(1).Requests
	}
	// The canary began 3 s before the first reading: 7 seconds are left out, and what the reading at their end shows.
	if canary, stable := sum(func(*world) {}); canary != 9*20 || stable != 16*20 {
		t.Errorf("servers: latency counts %d requests of the canary and %d of stable, want 180 and 320", canary, stable)
	}
	if canary, stable := sum(func(w *world) { w.calling("caller") }); canary != 9*20 || stable != 9*20 {
		t.Errorf("callers: latency counts %d requests of the canary and %d of stable, want 180 of both", canary, stable)
	}
}

func TestBeforeTheFirstWeightStableHasAHistory(t *testing.T) {
	w, b := newWorld(1, 1), begin(t, release())
	b.Add(w.reading(), at(0))
	for range 20 {
		w.ends("sa", 100, 1)
		b.Add(w.after(time.Second).reading(), at(0))
	}
	b.Close(w.now)
	if got, want := b.state.Stable.at(0), counted(2000, 20); got != want {
		t.Errorf("stable's sum before the first weight is %v, want %v", got, want)
	}
	if looks := b.verdict.State().Looks; looks != 0 {
		t.Errorf("%d looks were judged before the first weight, want 0", looks)
	}
}
