package plan_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"movieexample.com/fleet/controllers/fleetservice/plan"
)

// anyWorld lets a random history happen: specs come and go, revisions behave well or badly, Consul goes away.
func anyWorld(t *rapid.T, check func(w *world)) *world {
	w := newWorld()
	w.replicas = int32(rapid.IntRange(0, 3).Draw(t, "replicas"))
	hashes := []string{"a1", "b2", "c3", "d4"}
	behaviours := []behaviour{
		readyAfter(0), readyAfter(3 * time.Second), readyAfter(time.Hour),
		showing(2*time.Second, false, crashLoop), showing(8*time.Second, true, crashLoop), showing(0, false, noRoom), showing(time.Second, false, missing),
	}
	for _, h := range hashes {
		w.behave[h] = behaviours[rapid.IntRange(0, len(behaviours)-1).Draw(t, "behaviour of "+h)]
	}
	for range rapid.IntRange(1, 12).Draw(t, "events") {
		switch rapid.IntRange(0, 4).Draw(t, "event") {
		case 0, 1:
			w.ask(rapid.SampledFrom(hashes).Draw(t, "spec"))
		case 2:
			w.away = rapid.SampledFrom([]string{"", "Consul answers again"}).Draw(t, "away")
		case 3:
			w.behave[rapid.SampledFrom(hashes).Draw(t, "which")] = rapid.SampledFrom(behaviours).Draw(t, "now does")
		case 4:
			w.blocked = rapid.SampledFrom([]string{"", "Secret x is missing"}).Draw(t, "blocked")
		}
		for end := w.now.Add(time.Duration(rapid.IntRange(1, 90).Draw(t, "seconds")) * time.Second); w.now.Before(end); w.now = w.now.Add(time.Second) {
			w.settle(check)
		}
	}
	return w
}

// TestInvariants: whatever happens, callers are only ever sent to a revision that runs, and few revisions run.
func TestInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before := ""
		anyWorld(t, func(w *world) {
			if _, runs := w.running[w.traffic]; w.traffic != "" && !runs {
				t.Fatalf("callers are sent to %s, which was removed:\n%s", w.traffic, w.narration())
			}
			if w.traffic != before && w.replicas > 0 && w.behave[w.traffic](w, w.now.Sub(w.running[w.traffic])).Ready == 0 {
				t.Fatalf("traffic was moved to %s, which has no ready pod:\n%s", w.traffic, w.narration())
			}
			before = w.traffic
			if len(w.running) > 3 {
				t.Fatalf("%d revisions run at once, want at most stable, canary and previous:\n%s", len(w.running), w.narration())
			}
			if s := w.state; s.Canary.Hash != "" && s.Canary.Hash == s.Stable.Hash {
				t.Fatalf("revision %s is stable and on trial at once:\n%s", s.Canary.Hash, w.narration())
			}
		})
	})
}

// TestConverges: once the world is well and the spec stays, the asked-for revision serves alone and nothing more is decided.
func TestConverges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := anyWorld(t, func(*world) {})
		w.away, w.blocked = "", ""
		for h := range w.behave {
			w.behave[h] = readyAfter(0)
		}
		w.ask("e5")
		w.behave["e5"] = readyAfter(time.Second)
		w.run(5 * time.Minute)
		if w.state.Stable.Hash != "e5" || w.traffic != "e5" || len(w.running) != 1 {
			t.Fatalf("stable %q, traffic %q, running %v; want e5 alone:\n%s", w.state.Stable.Hash, w.traffic, w.deployed(), w.narration())
		}
		if p := plan.Next(w.observe()); p.Decision != nil || !p.Outlook.Ready {
			t.Fatalf("at rest the planner says %+v", p)
		}
	})
}

// TestPure: the same observation gives the same plan.
func TestPure(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		anyWorld(t, func(w *world) {
			o := w.observe()
			if diff := cmp.Diff(plan.Next(o), plan.Next(o)); diff != "" {
				t.Fatalf("two plans of one observation differ:\n%s", diff)
			}
		})
	})
}
