package evidence

import (
	"maps"
	"strings"
	"testing"
	"time"

	"movieexample.com/fleet/controllers/fleetservice/verdict"
)

// promoted is a book of a good release that has just been given all requests.
func promoted(t *testing.T, w *world) (*Book, Position) {
	b := begin(t, release())
	b.Add(w.reading(), at(50))
	w.run(b, at(50), 60, flow{50, 0, 50, 0})
	b.Close(w.now)
	everything := Position{Percent: 100, Since: w.now}
	w.after(time.Second)
	b.Add(w.reading(), everything)
	return reload(t, b), everything
}

func TestBakeSuspectsConvictsAndReturns(t *testing.T) {
	w := newWorld(1, 1)
	b, everything := promoted(t, w)
	w.run(b, everything, 60, flow{100, 0, 0, 0})
	if j := b.Judge(Question{}); j.Suspicion != "" || j.Action != verdict.Hold || j.SuspicionNumber == "" || !j.Clear {
		t.Fatalf("a good minute: suspicion %q (%s), %s %s, want none, with its number, and Hold", j.Suspicion, j.SuspicionNumber, j.Action, j.Reason)
	}
	took := 0
	for ; b.Judge(Question{}).Suspicion == ""; took++ {
		if took > 15 {
			t.Fatal("10 % bad for 15 s: no suspicion")
		}
		w.run(b, everything, 1, flow{100, 10, 0, 0})
		b = reload(t, b)
	}
	if got := b.Judge(Question{}).Suspicion; !strings.Contains(got, "since it has all requests, 0 of 3000 bad of the revision before: E=") {
		t.Errorf("after %d s of 10 %% bad Suspicion = %q, want both revisions' numbers", took, got)
	}
	b.Close(w.now)
	asking := Position{Percent: 50, Since: w.now}
	b.Add(w.after(time.Second).reading(), asking)
	if j := b.Judge(Question{}); j.Suspicion != "" || j.Requests != 0 {
		t.Errorf("while asking: suspicion %q, %d requests, want a new step without", j.Suspicion, j.Requests)
	}
	bad, fine := reload(t, b), reload(t, b)
	worse := *w
	worse.pods = []*pod{}
	for _, p := range w.pods {
		q := *p
		q.said = maps.Clone(p.said)
		worse.pods = append(worse.pods, &q)
	}
	worse.run(bad, asking, 12, flow{50, 5, 50, 0})
	if j := bad.Judge(Question{}); j.Action != verdict.Rollback {
		t.Errorf("10 %% bad beside a good old revision for 12 s: Judge() = %s %s (%s), want Rollback", j.Action, j.Reason, j.Message)
	}
	w.run(fine, asking, 120, flow{50, 5, 50, 5})
	if j := fine.Judge(Question{}); j.Action != verdict.Hold || !j.Clear {
		t.Errorf("both 10 %% bad for two minutes: Judge() = %s %s (%s), want a clear Hold", j.Action, j.Reason, j.Message)
	}
	fine.Close(w.now)
	fine.Add(w.after(time.Second).reading(), Position{Percent: 100, Since: w.now})
	if j := fine.Judge(Question{}); j.Suspicion != "" {
		t.Errorf("back at all requests: Suspicion = %q, want it to be forgotten", j.Suspicion)
	}
}

// Without a history nothing can be suspicious: blue-green from nothing.
func TestBakeWithoutHistory(t *testing.T) {
	w, b := newWorld(1, 1), begin(t, release())
	everything := Position{Percent: 100, Since: w.now}
	b.Add(w.reading(), everything)
	w.run(b, everything, 30, flow{100, 100, 0, 0})
	if j := b.Judge(Question{}); j.Suspicion != "" {
		t.Errorf("all bad without a history of stable: Suspicion = %q, want none", j.Suspicion)
	}
}

// During a bake stable has no requests: those of the new revision tell who sees most.
func TestBakeByCallers(t *testing.T) {
	w := newWorld(1, 1)
	w.calling("caller")
	b, everything := promoted(t, w)
	w.run(b, everything, 10, flow{100, 0, 0, 0})
	if b.state.Source != callers {
		t.Errorf("callers see all of it: counted by %s, want callers", b.state.Source)
	}
	w.callers = nil
	w.run(b, everything, 10, flow{100, 0, 0, 0})
	if got, want := b.compared()[0], int64(2000); got != want || b.state.Source != servers {
		t.Errorf("after the callers vanished %d requests were counted by %s, want %d by servers", got, b.state.Source, want)
	}
}
