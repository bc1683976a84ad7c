package plan_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/fleetservice/plan"
)

// shadowed is a consuming world whose canaries read along first.
func shadowed(partitions, replicas int32) *world {
	w := consuming(partitions, replicas)
	w.policy.Shadow = true
	return w
}

// TestShadowNarrations tells rollouts of consumers whose canaries read along before their first share.
func TestShadowNarrations(t *testing.T) {
	for name, tell := range map[string]func() *world{
		"shadow-passes": func() *world {
			w := shadowed(12, 3)
			w.ask("b2")
			w.run(3 * time.Minute)
			return w
		},
		"shadow-convicted": func() *world { // it has read nothing that would have to be read again
			w := shadowed(12, 3)
			w.policy.Rewind = true
			w.fails["b2"] = 0.1
			w.ask("b2")
			w.run(time.Minute)
			return w
		},
		"shadow-hangs": func() *world {
			w := shadowed(12, 3)
			w.hangs["b2"] = true
			w.ask("b2")
			w.run(time.Minute)
			return w
		},
		"shadow-cannot-start": func() *world {
			w := shadowed(12, 3)
			w.behave["b2"] = showing(time.Second, false, crashLoop)
			w.ask("b2")
			w.run(20 * time.Second)
			return w
		},
		"shadow-of-the-only-partition": func() *world {
			w := shadowed(1, 1)
			w.ask("b2")
			w.run(4 * time.Minute)
			return w
		},
		"shadow-of-the-only-partition-convicted": func() *world {
			w := shadowed(1, 1)
			w.fails["b2"] = 0.1
			w.ask("b2")
			w.run(time.Minute)
			return w
		},
		"shadow-passes-and-its-share-is-bad": func() *world { // what it does wrong in the database shows with a share only
			w := shadowed(12, 3)
			w.lingers = 3 * time.Second
			w.ask("b2")
			for w.state.Shadow.Stage != plan.ShadowPassed {
				w.run(time.Second)
			}
			w.note("b2 begins to fail")
			w.fails["b2"] = 0.1
			w.run(30 * time.Second)
			return w
		},
		"shadow-aborted": func() *world {
			w := shadowed(12, 3)
			w.ask("b2")
			w.run(5 * time.Second)
			w.command = "abort@b2@1"
			w.run(5 * time.Second)
			w.command = "retry@b2@2"
			w.run(10 * time.Second)
			w.ask("a1")
			w.run(5 * time.Second)
			return w
		},
		"shadow-skipped-by-command": func() *world {
			w := shadowed(12, 3)
			w.policy.Paused = true
			w.ask("b2")
			w.run(3 * time.Second)
			w.policy.Paused = false
			w.run(4 * time.Second)
			w.policy.Paused = true
			w.note("paused")
			w.run(20 * time.Second)
			w.command = "skip@b2@1"
			w.run(20 * time.Second)
			return w
		},
		"shadow-without-events": func() *world {
			w := shadowed(12, 3)
			w.rate = 0.1
			w.policy.MaxStep = 30 * time.Second
			w.ask("b2")
			w.run(time.Minute)
			return w
		},
		"shadow-inconclusive": func() *world {
			w := shadowed(12, 3)
			w.rate, w.policy.MaxStep = 2, 30*time.Second
			w.policy.OnInconclusive = v1alpha1.InconclusiveRollback
			w.ask("b2")
			w.run(time.Minute)
			return w
		},
		"shadow-of-a-stable-that-dies": func() *world {
			w := shadowed(12, 3)
			w.ask("b2")
			w.run(4 * time.Second)
			w.note("a1 dies by its own fault")
			w.behave["a1"] = showing(0, false, crashLoop)
			w.run(30 * time.Second)
			return w
		},
	} {
		t.Run(name, func(t *testing.T) { golden(t, name, tell().narration()) })
	}
}

// checkShadow: only a canary without a share reads along, with one pod, and no share is given before that pod has gone.
func checkShadow(t *rapid.T, w *world) {
	for hash, along := range w.along {
		if along && w.pods[hash] > 0 && (hash != w.state.Canary.Hash || w.state.Percent > 0 || w.pods[hash] > 1) {
			t.Fatalf("%s reads along with %d pods while canary %s has %d %%:\n%s", hash, w.pods[hash], w.state.Canary.Hash, w.state.Percent, w.narration())
		}
	}
	if w.state.Percent > 0 && w.now.Before(w.left[w.state.Canary.Hash]) {
		t.Fatalf("%s has a share while its shadow is still there:\n%s", w.state.Canary.Hash, w.narration())
	}
}
