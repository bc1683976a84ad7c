package evidence

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"movieexample.com/fleet/controllers/fleetservice/signals"
	"movieexample.com/fleet/controllers/fleetservice/verdict"
)

func TestLooksClose(t *testing.T) {
	type second struct {
		canary, stable int64
		bad            int64 // of the canary's
		slow           string
		unread         string
	}
	for _, c := range []struct {
		name    string
		seconds []second
		looks   int
		sums    [2]int64 // compared, of canary and stable
	}{
		{"enough of both", []second{{canary: 1, stable: 10}}, 1, [2]int64{1, 10}},
		{"too little of stable", []second{{canary: 5, stable: 9}}, 0, [2]int64{}},
		{"nothing of the canary", []second{{stable: 500}}, 0, [2]int64{}},
		{"in two readings", []second{{canary: 1, stable: 9}, {stable: 1}}, 1, [2]int64{1, 10}},
		{"bad requests do not close it", []second{{canary: 9, bad: 9, stable: 9}}, 0, [2]int64{}},
		{"after 10 s with what there is", []second{{stable: 3}, {}, {}, {}, {}, {}, {}, {}, {}, {canary: 1}}, 1, [2]int64{1, 3}},
		{"after 10 s without a request there is no look", make([]second, 25), 0, [2]int64{}},
		{"a slow reading leaves it open", []second{{canary: 1, stable: 10, slow: "took 1 s"}}, 0, [2]int64{}},
		{"after a slow reading nothing is lost", []second{{canary: 1, stable: 10, slow: "took 1 s"}, {canary: 2, stable: 20}}, 1, [2]int64{3, 30}},
		{"it waits for a page that it began with", []second{{canary: 1, stable: 10, unread: "sa"}, {canary: 1, stable: 10}}, 1, [2]int64{2, 20}},
		{
			"but not for ever: the pod is left out of the comparison",
			[]second{
				{canary: 1, stable: 10}, {canary: 1, stable: 10, unread: "ca"},
				{unread: "ca"}, {unread: "ca"}, {unread: "ca"}, {unread: "ca"}, {unread: "ca"}, {unread: "ca"}, {unread: "ca"}, {unread: "ca"},
				{unread: "ca"}, {canary: 7, stable: 10, unread: "ca"}, {stable: 10},
			}, 2, [2]int64{1, 20},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, b := newWorld(1, 1), begin(t, release())
			b.Add(w.reading(), at(10))
			for _, s := range c.seconds {
				w.ends("ca", s.canary, s.bad)
				w.ends("sa", s.stable, 0)
				w.slow = s.slow
				for _, p := range w.pods {
					p.err = ""
				}
				if s.unread != "" {
					w.pod(s.unread).err = "connection refused"
				}
				b.Add(w.after(time.Second).reading(), at(10))
			}
			if got := b.state.Step.Looks; got != c.looks {
				t.Errorf("%d looks, want %d", got, c.looks)
			}
			if diff := cmp.Diff(c.sums, b.compared()); diff != "" {
				t.Errorf("compared (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCloseTakesWhatThereIs(t *testing.T) {
	w, b := newWorld(1, 1), begin(t, release())
	b.Add(w.reading(), at(10))
	w.ends("ca", 2, 1)
	w.ends("sa", 5, 0)
	b.Add(w.after(time.Second).reading(), at(10))
	if got := b.compared(); got != [2]int64{} {
		t.Fatalf("before Close compared %v, want nothing", got)
	}
	b.Close(w.now)
	if got, want := b.compared(), [2]int64{2, 5}; got != want {
		t.Errorf("after Close compared %v, want %v", got, want)
	}
}

// An outage that begins while requests move must not count against the canary, which has most of its requests afterwards.
func TestNoLookOverAChangeOfWeight(t *testing.T) {
	for _, c := range []struct{ closed, called bool }{{true, false}, {false, false}, {true, true}, {false, true}} {
		w, b := newWorld(1, 1), begin(t, release())
		if c.called {
			w.calling("caller")
		}
		b.Add(w.reading(), at(1))
		w.run(b, at(1), 1, flow{10, 0, 990, 0})
		w.happens(flow{9, 0, 900, 0})
		if c.closed {
			b.Close(w.after(time.Second).now)
		}
		w.happens(flow{500, 250, 500, 250})
		moved := Position{Percent: 50, Since: w.after(time.Second).now}
		b.Add(w.reading(), moved)
		if e := b.verdict.LogE(); e > 1e-9 {
			t.Errorf("%+v: after a move into a shared outage log E = %g, want 0", c, e)
		}
		if got := b.compared(); got != [2]int64{} {
			t.Errorf("%+v: the new step compares %v, want nothing yet", c, got)
		}
		if got, want := b.state.Canary.at(0), counted(519, 250); got != want {
			t.Errorf("%+v: the canary's sum is %v, want %v", c, got, want)
		}
		w.run(b, moved, 1, flow{50, 0, 50, 0})
		if got, want := b.compared(), [2]int64{50, 50}; got != want {
			t.Errorf("%+v: the new step compares %v, want %v", c, got, want)
		}
	}
}

// At the first look of a release half of what is kept in reserve is put in, at the first of another weight a quarter.
func TestReserveIsPutInAtEachWeight(t *testing.T) {
	w, b := newWorld(1, 1), begin(t, release())
	b.Add(w.reading(), at(1))
	moved := Position{Percent: 50, Since: w.now.Add(2 * time.Second)}
	for i, c := range []struct {
		at   Position
		want float64 // of the reserve is left
	}{{at(1), 1. / 2}, {at(1), 999. / 1000}, {moved, 999. / 1000}, {moved, 3. / 4}, {moved, 999. / 1000}} {
		before := b.verdict.State().Signals[0].Rollback.Reserve
		w.run(b, c.at, 1, flow{10, 0, 10, 0})
		if got := math.Exp(b.verdict.State().Signals[0].Rollback.Reserve - before); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("reading %d at weight %d leaves %g of the reserve, want %g", i, c.at.Percent, got, c.want)
		}
	}
}

// A pod whose page is lost in the middle of a look is left out of all of it.
func TestALostPageLeavesTheLook(t *testing.T) {
	w, b := newWorld(2, 1), begin(t, release())
	b.Add(w.reading(), at(10))
	w.ends("sb", 9, 9)
	b.Add(w.after(time.Second).reading(), at(10))
	w.pod("sb").err = "timeout"
	w.run(b, at(10), 11, flow{1, 0, 10, 0})
	if got, want := b.compared(), [2]int64{11, 110}; got != want {
		t.Errorf("compared %v, want %v", got, want)
	}
	if got, want := b.state.Stable.at(0), counted(119, 9); got != want {
		t.Errorf("stable's sum is %v, want %v: nothing is lost", got, want)
	}
}

func TestLeave(t *testing.T) {
	counts := func() byPod { return byPod{"a": {counted(5, 1)}, "b": {counted(7, 2)}} }
	l := look{Together: tallies{Canary: counts(), Stable: counts(), Again: counts()}, Apart: tallies{Again: byPod{"b": {counted(1, 0)}}}}
	l.leave("b")
	stays, left := byPod{"a": {counted(5, 1)}}, byPod{"b": {counted(7, 2)}}
	want := look{
		Together: tallies{Canary: stays, Stable: stays, Again: stays},
		Apart:    tallies{Canary: left, Stable: left, Again: byPod{"b": {counted(8, 2)}}},
	}
	if diff := cmp.Diff(want, l); diff != "" {
		t.Errorf("after b left (-want +got):\n%s", diff)
	}
}

// Where callers count, no page of a pod is waited for; the pod's own count is not compared in a look that it missed a part of.
func TestCallersWaitForNoPage(t *testing.T) {
	w, b := newWorld(2, 1), begin(t, release())
	w.calling("caller")
	b.Add(w.reading(), at(10))
	w.run(b, at(10), 1, flow{1, 0, 10, 0})
	w.pod("sb").err = "timeout"
	w.run(b, at(10), 1, flow{1, 0, 10, 0})
	if got, want := b.compared(), [2]int64{2, 20}; got != want {
		t.Errorf("with a page away compared %v, want %v", got, want)
	}
	w.pod("sb").err = ""
	w.run(b, at(10), 1, flow{1, 0, 10, 0})
	w.pod("sb").err = "timeout"
	w.run(b, at(10), 1, flow{0, 0, 1, 0})
	w.pod("sb").err = ""
	w.ends("sb", 5, 0)
	w.run(b, at(10), 1, flow{0, 0, 1, 0})
	if got := b.state.Open.Together.Stable["sb"]; got != nil {
		t.Errorf("a pod that missed a part of the look is compared by its own count %v, want it left out", got)
	}
}

// Stable was read 0.3 s before the canary and again as much later: what only the canary and the second window saw is an
// outage that began in between.
func TestSecondWindowOfStable(t *testing.T) {
	evidence := func(again bool) float64 {
		w, b := newWorld(1, 1), begin(t, release())
		p := w.pod("sa")
		p.again = map[string]signals.Total{signals.Errors: {Requests: 30}}
		b.Add(w.reading(), at(50))
		w.ends("ca", 100, 30)
		w.ends("sa", 100, 0)
		p.again = map[string]signals.Total{signals.Errors: {Requests: 130}}
		if again {
			p.again = map[string]signals.Total{signals.Errors: {Requests: 130, Bad: 60}}
		}
		b.Add(w.after(time.Second).reading(), at(50))
		return b.verdict.LogE()
	}
	if calm, outage := evidence(false), evidence(true); calm < 1 || outage > 1e-9 {
		t.Errorf("log E = %g and, where stable's second window failed too, %g, want at least 1 and 0", calm, outage)
	}
}

func TestEveryPodOfTheCanaryIsListed(t *testing.T) {
	w, b := newWorld(1, 3), begin(t, release())
	b.Add(w.reading(), at(50))
	w.ends("ca", 10, 0)
	l := b.look(tallies{Canary: byPod{"ca": {counted(10, 0)}}}, servers)
	var names []string
	for _, p := range l.Canary {
		names = append(names, p.Name)
	}
	if diff := cmp.Diff([]string{"ca", "cb", "cc"}, names); diff != "" {
		t.Errorf("pods of the look (-want +got):\n%s", diff)
	}
}

func TestALookThatCannotBeIsSaid(t *testing.T) {
	w, b := newWorld(1, 1), begin(t, release())
	b.Add(w.reading(), at(50))
	w.ends("ca", 1<<62, 0)
	w.ends("sa", 100, 0)
	b.Add(w.after(time.Second).reading(), at(50))
	j := b.Judge(Question{Next: 100})
	if j.Action != verdict.Hold || j.Reason != verdict.Blind || len(j.Blind) != 1 {
		t.Errorf("after 2^62 requests in a second Judge() = %v %v %q, want a hold that is blind and says why", j.Action, j.Reason, j.Blind)
	}
	if got := b.state.Canary.at(0); got != (verdict.Counts{}) {
		t.Errorf("the canary's sum is %v, want nothing", got)
	}
}
