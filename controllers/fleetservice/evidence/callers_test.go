package evidence

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"movieexample.com/fleet/controllers/fleetservice/signals"
	"movieexample.com/fleet/controllers/fleetservice/verdict"
)

// Each step lasts for so many looks in which stable's pods count 100 requests each and callers count a part of them.
func TestWhoIsBelieved(t *testing.T) {
	for _, c := range []struct {
		name  string
		parts []int64
		want  []source
	}{
		{"all requests are callers'", []int64{100}, []source{callers}},
		{"four fifths", []int64{80, 80}, []source{callers, callers}},
		{"a little less", []int64{79, 79, 79}, []source{servers, servers, servers}},
		{"most come from elsewhere", []int64{0, 10}, []source{servers, servers}},
		{"one look with less does not flip it", []int64{100, 50, 100}, []source{callers, callers, callers}},
		{"one look with more does not flip it back", []int64{10, 100, 100, 10}, []source{servers, servers, servers, servers}},
		{"callers that vanish are believed no more", []int64{100, 100, 0, 0, 0}, []source{callers, callers, servers, servers, servers}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, b := newWorld(1, 1), begin(t, release())
			caller := w.calling("caller")
			b.Add(w.reading(), at(10))
			var got []source
			for _, part := range c.parts {
				w.ends("sa", 100, 0)
				w.ends("ca", 10, 0)
				caller.sees("old", part, 0)
				caller.sees("new", part/10, 0)
				b.Add(w.after(time.Second).reading(), at(10))
				got = append(got, b.state.Source)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("believed (-want +got):\n%s", diff)
			}
		})
	}
}

// A canary has no say in who judges it: whatever it does, stable's requests decide.
func TestTheCanaryDoesNotChooseItsJudge(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64Range(0, 1000)
		canary, seen, stable, called := n.Draw(t, "canary"), n.Draw(t, "seen"), n.Draw(t, "stable"), n.Draw(t, "called")
		bad := rapid.Int64Range(0, seen).Draw(t, "bad")
		by := func(canary, seen, bad int64) source {
			w, b := newWorld(1, 1), begin(t, release())
			caller := w.calling("caller")
			b.Add(w.reading(), at(10))
			w.ends("sa", stable, 0)
			w.ends("ca", canary, 0)
			caller.sees("old", called, 0)
			caller.sees("new", seen, bad)
			b.Add(w.after(11*time.Second).reading(), at(10))
			return b.source()
		}
		if got, want := by(canary, seen, bad), by(0, 0, 0); got != want {
			t.Fatalf("with %d requests at the canary and %d (%d bad) seen by callers source() = %s, without %s", canary, seen, bad, got, want)
		}
	})
}

// Callers that vanish in the middle take no requests with them: what pods counted since is looked at.
func TestVanishedCallersLoseNothing(t *testing.T) {
	w, b := newWorld(1, 1), begin(t, release())
	caller := w.calling("caller")
	b.Add(w.reading(), at(10))
	total := int64(0)
	for k := range 60 {
		if k == 20 {
			w.callers = nil
		}
		w.ends("sa", 90, 0)
		w.ends("ca", 10, 0)
		caller.sees("old", 90, 0)
		caller.sees("new", 10, 0)
		total += 100
		b.Add(w.after(time.Second).reading(), at(10))
	}
	b.Close(w.now)
	if got := b.compared(); got[0]+got[1] != total || b.state.Source != servers {
		t.Errorf("compared %v by %s, want %d requests in all by servers", got, b.state.Source, total)
	}
}

func TestShareOut(t *testing.T) {
	for _, c := range []struct {
		name   string
		called verdict.Counts
		own    []verdict.Counts
		before int64
		want   []verdict.Counts
	}{
		{"as the pods counted", counted(100, 10), []verdict.Counts{counted(60, 10), counted(40, 0)}, 0, []verdict.Counts{counted(60, 10), counted(40, 0)}},
		{"one pod has all the bad ones", counted(50, 5), []verdict.Counts{counted(60, 10), counted(40, 0)}, 0, []verdict.Counts{counted(30, 5), counted(20, 0)}},
		{"refused by both: in turns", counted(3, 3), []verdict.Counts{{}, {}}, 0, []verdict.Counts{counted(2, 2), counted(1, 1)}},
		{"the turn goes on", counted(3, 3), []verdict.Counts{{}, {}}, 1, []verdict.Counts{counted(1, 1), counted(2, 2)}},
		{"hangs besides errors of one", counted(12, 4), []verdict.Counts{counted(5, 2), counted(5, 0)}, 0, []verdict.Counts{counted(6, 3), counted(6, 1)}},
		{"what no pod counted", counted(4, 0), []verdict.Counts{{}, {}}, 0, []verdict.Counts{counted(2, 0), counted(2, 0)}},
		{"one pod", counted(9, 2), []verdict.Counts{{}}, 5, []verdict.Counts{counted(9, 2)}},
		{"huge numbers", counted(1<<40, 1<<39), []verdict.Counts{counted(1<<60, 1<<59), {}}, 0, []verdict.Counts{counted(1<<40, 1<<39), {}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			pods := make([]verdict.Pod, len(c.own))
			for q, own := range c.own {
				pods[q] = verdict.Pod{Counts: []verdict.Counts{own}}
			}
			shareOut(c.called, pods, 0, counted(c.before, c.before))
			var got []verdict.Counts
			for _, p := range pods {
				got = append(got, p.Counts[0])
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("shareOut(%v) of %v (-want +got):\n%s", c.called, c.own, diff)
			}
		})
	}
}

func TestDivide(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOfN(rapid.Int64Range(0, 1<<50), 1, 12).Draw(t, "parts")
		number, turn := rapid.Int64Range(0, 1<<50).Draw(t, "number"), rapid.Int64Range(0, 1<<60).Draw(t, "turn")
		got := divide(number, parts, turn)
		sum, whole := int64(0), int64(0)
		for q, share := range got {
			sum, whole = sum+share, whole+parts[q]
			if share < 0 {
				t.Fatalf("divide(%d, %v) = %v, want no negative share", number, parts, got)
			}
		}
		if sum != number {
			t.Fatalf("divide(%d, %v) = %v, which is %d", number, parts, got, sum)
		}
		for q, share := range got {
			fair := float64(number) / float64(len(parts))
			if whole > 0 {
				fair = float64(number) * float64(parts[q]) / float64(whole)
			}
			if math.Abs(float64(share)-fair) > 1+fair*1e-9 || (whole > 0 && parts[q] == 0 && share > 0) {
				t.Fatalf("divide(%d, %v) = %v: share %d should be about %g", number, parts, got, q, fair)
			}
		}
	})
}

// Two pods of the canary, judged by callers.
func TestOnePodAmongCallersCounts(t *testing.T) {
	for _, c := range []struct {
		name   string
		second func(w *world, caller *callingPod)
		reason verdict.Reason
		pods   []string
	}{
		{"one pod fails", func(w *world, caller *callingPod) {
			w.ends("ca", 10, 6)
			w.ends("cb", 10, 0)
			caller.sees("new", 20, 6)
		}, verdict.OnePod, []string{"ca"}},
		{"both fail", func(w *world, caller *callingPod) {
			w.ends("ca", 10, 3)
			w.ends("cb", 10, 3)
			caller.sees("new", 20, 6)
		}, verdict.Worse, nil},
		{"connections are refused: no pod sees it", func(w *world, caller *callingPod) {
			w.ends("ca", 7, 0)
			w.ends("cb", 7, 0)
			caller.sees("new", 20, 6)
		}, verdict.Worse, nil},
		{"a refused connection now and then", func(w *world, caller *callingPod) {
			w.ends("ca", 10, 0)
			w.ends("cb", 9, 0)
			caller.sees("new", 20, 1)
		}, verdict.Worse, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, b := newWorld(1, 2), begin(t, release())
			caller := w.calling("caller")
			b.Add(w.reading(), at(20))
			for range 30 {
				w.ends("sa", 80, 0)
				caller.sees("old", 80, 0)
				c.second(w, caller)
				b.Add(w.after(time.Second).reading(), at(20))
			}
			j := b.Judge(Question{Next: 50})
			if j.Reason != c.reason || !slices.Equal(j.Pods, c.pods) || j.CountedBy != "callers" {
				t.Errorf("Judge() = %s %v by %s (%s), want %s %v by callers", j.Reason, j.Pods, j.CountedBy, j.Message, c.reason, c.pods)
			}
		})
	}
}

// Callers that do not tell whether answers are late leave that to the servers.
func TestServersCountWhatCallersDoNot(t *testing.T) {
	w, b := newWorld(1, 1), begin(t, release(signals.Errors, signals.Refusals))
	caller := w.calling("caller")
	for _, p := range w.pods {
		p.said[signals.Refusals] = signals.Total{}
	}
	b.Add(w.reading(), at(10))
	w.ends("sa", 90, 9)
	w.ends("ca", 10, 0)
	w.pod("ca").said[signals.Refusals] = signals.Total{Requests: 10, Bad: 4}
	w.pod("sa").said[signals.Refusals] = signals.Total{Requests: 90, Bad: 1}
	caller.sees("old", 90, 0)
	caller.sees("new", 12, 2)
	b.Add(w.after(time.Second).reading(), at(10))
	want := []row{{counted(12, 2), counted(10, 4)}, {counted(90, 0), counted(90, 1)}}
	if diff := cmp.Diff(want, []row{b.state.Canary, b.state.Stable}); diff != "" {
		t.Errorf("sums of canary and stable (-want +got):\n%s", diff)
	}
	if j := b.Judge(Question{Next: 20}); len(j.Blind) > 0 || j.CountedBy != "callers" {
		t.Errorf("Judge() is blind: %q, by %s, want to see both signals, by callers", j.Blind, j.CountedBy)
	}
}
