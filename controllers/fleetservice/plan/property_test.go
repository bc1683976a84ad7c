package plan_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"movieexample.com/fleet/controllers/fleetservice/plan"
)

// anyWorld lets a random history happen: specs come and go, revisions behave well or badly, answers fail, Consul goes
// away, people scale, pause and command.
func anyWorld(t *rapid.T, check func(w *world)) *world {
	w := newWorld()
	w.replicas = int32(rapid.IntRange(0, 5).Draw(t, "replicas"))
	w.policy.Steps = rapid.SampledFrom([][]int32{{1, 5, 20, 50}, {10}, nil}).Draw(t, "steps")
	w.policy.Coarse = rapid.Bool().Draw(t, "coarse")
	w.policy.MaxStep = time.Minute
	w.policy.Bake = rapid.SampledFrom([]time.Duration{0, 20 * time.Second, time.Minute}).Draw(t, "bake")
	hashes := []string{"a1", "b2", "c3", "d4"}
	behaviours := []behaviour{
		readyAfter(0), readyAfter(3 * time.Second), readyAfter(time.Hour), showing(2*time.Second, false, crashLoop),
		showing(8*time.Second, true, crashLoop), showing(0, false, noRoom), showing(time.Second, false, missing),
	}
	for _, h := range hashes {
		w.behave[h] = behaviours[rapid.IntRange(0, len(behaviours)-1).Draw(t, "behaviour of "+h)]
		w.fails[h] = rapid.SampledFrom([]float64{0, 0.001, 0.1, 1}).Draw(t, "bad answers of "+h)
	}
	for range rapid.IntRange(1, 12).Draw(t, "events") {
		anyEvent(t, w, hashes, behaviours)
		for end := w.now.Add(time.Duration(rapid.IntRange(1, 90).Draw(t, "seconds")) * time.Second); w.now.Before(end); w.now = w.now.Add(time.Second) {
			w.settle(check)
			w.count()
		}
	}
	return w
}

func anyEvent(t *rapid.T, w *world, hashes []string, behaviours []behaviour) {
	switch rapid.IntRange(0, 10).Draw(t, "event") {
	case 0, 1:
		w.ask(rapid.SampledFrom(hashes).Draw(t, "spec"))
	case 2:
		w.away = rapid.SampledFrom([]string{"", "Consul answers again"}).Draw(t, "away")
	case 3:
		w.behave[rapid.SampledFrom(hashes).Draw(t, "which")] = rapid.SampledFrom(behaviours).Draw(t, "now does")
	case 4:
		w.blocked = rapid.SampledFrom([]string{"", "Secret x is missing"}).Draw(t, "blocked")
	case 5:
		w.replicas = int32(rapid.IntRange(0, 5).Draw(t, "scaled to"))
	case 6:
		w.policy.Paused = rapid.Bool().Draw(t, "paused")
	case 7:
		verb := rapid.SampledFrom([]string{"promote", "skip", "abort", "retry", "dance"}).Draw(t, "verb")
		w.command = fmt.Sprintf("%s@%s@%d", verb, rapid.SampledFrom(hashes).Draw(t, "of"), w.now.Unix())
	case 9:
		w.damaged = rapid.SampledFrom([]string{"", "the ledger's key verdicts.json is damaged"}).Draw(t, "ledger")
	case 10:
		w.desired = plan.Part{} // the spec is refused
	case 8:
		w.fails[rapid.SampledFrom(hashes).Draw(t, "whose")] = rapid.SampledFrom([]float64{0, 0.001, 0.1, 1}).Draw(t, "bad answers")
	}
}

func (w *world) readyPods(hash string) int32 {
	made, runs := w.running[hash]
	if !runs {
		return 0
	}
	return w.behave[hash](w, w.pods[hash], w.now.Sub(made)).Ready
}

// TestInvariants: whatever happens, requests only go to revisions that run and are ready, with enough pods for all of
// them, there is one canary, and a revision that was taken back gets nothing.
func TestInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before := plan.Split{}
		anyWorld(t, func(w *world) {
			s := w.state
			for _, hash := range []string{w.split.Main, w.split.Other} {
				if _, runs := w.running[hash]; hash != "" && !runs {
					t.Fatalf("requests are sent to %s, which was removed:\n%s", hash, w.narration())
				}
			}
			if w.split.Main != before.Main && w.replicas > 0 && w.readyPods(w.split.Main) == 0 {
				t.Fatalf("requests were moved to %s, which has no ready pod:\n%s", w.split.Main, w.narration())
			}
			if w.split.Other != "" && w.split != before && w.readyPods(w.split.Other) == 0 {
				t.Fatalf("%s was given a share without a ready pod:\n%s", w.split.Other, w.narration())
			}
			if w.acted && w.away == "" && w.split.Main != "" && w.split.Main == s.Stable.Hash && w.pods[w.split.Main] < w.replicas {
				t.Fatalf("%s serves with %d of %d pods:\n%s", w.split.Main, w.pods[w.split.Main], w.replicas, w.narration())
			}
			before = w.split
			if bad := s.Rejected.Hash; w.acted && bad != "" && w.readyPods(s.Stable.Hash) > 0 && (w.others.Main == bad || w.others.Other == bad) {
				t.Fatalf("%s was taken back and has requests by a provider that answers:\n%s", bad, w.narration())
			}
			if s.Canary.Hash != "" && (s.Canary.Hash == s.Stable.Hash || s.Canary.Hash == s.Previous.Hash) {
				t.Fatalf("revision %s plays two parts:\n%s", s.Canary.Hash, w.narration())
			}
			if _, no := w.ledger[s.Canary.Hash]; no && s.Command.Forgiven() != s.Canary.Hash {
				t.Fatalf("%s is quarantined and on trial:\n%s", s.Canary.Hash, w.narration())
			}
			if len(w.running) > 3+maxLeaving {
				t.Fatalf("%d revisions run at once:\n%s", len(w.running), w.narration())
			}
		})
	})
}

// maxLeaving is how many revisions may drain at once.
const maxLeaving = 4

// TestTeardownIsMonotone: a revision whose pods go comes back only by a decision to try it again.
func TestTeardownIsMonotone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		gone, ran := map[string]bool{}, map[string]bool{}
		anyWorld(t, func(w *world) {
			for hash := range ran {
				if _, runs := w.running[hash]; !runs {
					gone[hash] = true
				}
			}
			for hash := range w.running {
				ran[hash] = true
				if gone[hash] && w.state.Canary.Hash != hash && w.state.Stable.Hash != hash {
					t.Fatalf("%s was removed and runs again without being on trial:\n%s", hash, w.narration())
				}
				delete(gone, hash)
			}
		})
	})
}

// TestConverges: once the world is well and the spec stays, the asked-for revision serves alone and nothing more is
// decided or done.
func TestConverges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := anyWorld(t, func(*world) {})
		w.away, w.blocked, w.damaged, w.command, w.policy.Paused = "", "", "", "", false
		for h := range w.behave {
			w.behave[h] = readyAfter(0)
			w.fails[h] = 0.001
		}
		w.ask("e5")
		w.behave["e5"] = readyAfter(time.Second)
		w.run(12 * time.Minute)
		if w.state.Stable.Hash != "e5" || (w.split != plan.Split{Main: "e5"}) || len(w.running) != 1 {
			t.Fatalf("stable %q, requests %v, running %v; want e5 alone:\n%s", w.state.Stable.Hash, w.split, w.deployed(), w.narration())
		}
		if p := plan.Next(w.observe()); p.Decision != nil || !p.Outlook.Ready {
			t.Fatalf("at rest the planner says %+v", p)
		}
		told := len(w.story)
		w.run(5 * time.Minute)
		if len(w.story) != told {
			t.Fatalf("at rest something is done:\n%s", w.narration())
		}
	})
}

// TestGoodRevisionsAreNeverTakenBack: an outage that both revisions share, or a provider that is away, convicts nobody.
func TestGoodRevisionsAreNeverTakenBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld()
		w.replicas = int32(rapid.IntRange(1, 5).Draw(t, "replicas"))
		for _, h := range []string{"a1", "b2"} {
			w.behave[h] = readyAfter(2 * time.Second)
		}
		w.ask("a1")
		w.run(time.Minute)
		w.ask("b2")
		for range rapid.IntRange(0, 8).Draw(t, "events") {
			shared := rapid.SampledFrom([]float64{0, 0.001, 0.05, 1}).Draw(t, "both fail")
			w.fails["a1"], w.fails["b2"] = shared, shared
			w.away = rapid.SampledFrom([]string{"", "Consul answers again"}).Draw(t, "away")
			w.blind = rapid.SampledFrom([]string{"", "no page"}).Draw(t, "blind")
			w.run(time.Duration(rapid.IntRange(1, 60).Draw(t, "seconds")) * time.Second)
		}
		if w.state.Rejected.Hash != "" {
			t.Fatalf("a good revision was taken back:\n%s", w.narration())
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
