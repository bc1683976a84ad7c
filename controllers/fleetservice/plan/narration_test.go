package plan_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"movieexample.com/fleet/controllers/fleetservice/plan"
	"movieexample.com/fleet/controllers/fleetservice/signals"
)

var update = flag.Bool("update", false, "write the golden narrations anew")

var (
	crashLoop = signals.Fact{Blame: signals.Release, Reason: signals.CrashLoop, Final: true, Message: "pod x exits again and again (exit code 3, 2 restarts): no such table"}
	noRoom    = signals.Fact{Blame: signals.Environment, Reason: signals.Unschedulable, Message: "pod x finds no node: 0/1 nodes are available"}
	notReady  = signals.Fact{Blame: signals.Release, Reason: signals.NotReady, Message: "pod x runs but its readiness probe does not pass"}
	missing   = signals.Fact{Blame: signals.Release, Reason: signals.ImageNotFound, Final: true, Message: "pod x cannot have image rating:b2: not found"}
)

// serving is a world in which a1 has been serving for a while.
func serving() *world {
	w := newWorld()
	w.behave["a1"] = readyAfter(2 * time.Second)
	w.ask("a1")
	w.run(time.Minute)
	w.story, w.said = nil, ""
	return w
}

// TestNarrations tells whole rollouts. Each file under testdata/narrations is one story, to be read as documentation.
func TestNarrations(t *testing.T) {
	stories := map[string]func() *world{
		"first-revision": func() *world {
			w := newWorld()
			w.behave["a1"] = readyAfter(3 * time.Second)
			w.ask("a1")
			w.run(20 * time.Second)
			return w
		},
		"first-revision-cannot-start": func() *world {
			w := newWorld()
			w.behave["a1"] = showing(4*time.Second, false, crashLoop)
			w.behave["a2"] = readyAfter(3 * time.Second)
			w.ask("a1")
			w.run(30 * time.Second)
			w.note("the spec is mended")
			w.ask("a2")
			w.run(20 * time.Second)
			return w
		},
		"waits-for-a-secret": func() *world {
			w := newWorld()
			w.behave["a1"] = readyAfter(3 * time.Second)
			w.blocked = "Secret rating-mysql has no key password"
			w.ask("a1")
			w.run(10 * time.Second)
			w.note("the key is there")
			w.blocked = ""
			w.run(15 * time.Second)
			return w
		},
		"good-change": func() *world {
			w := serving()
			w.behave["b2"] = readyAfter(3 * time.Second)
			w.note("the spec asks for b2")
			w.ask("b2")
			w.run(40 * time.Second)
			return w
		},
		"crash-loop-is-taken-back": func() *world {
			w := serving()
			w.behave["b2"] = showing(4*time.Second, true, crashLoop)
			w.ask("b2")
			w.run(30 * time.Second)
			w.note("a fixed revision")
			w.behave["b3"] = readyAfter(3 * time.Second)
			w.ask("b3")
			w.run(30 * time.Second)
			return w
		},
		"image-not-found": func() *world {
			w := serving()
			w.behave["b2"] = showing(time.Second, false, missing)
			w.ask("b2")
			w.run(15 * time.Second)
			return w
		},
		"never-ready-is-taken-back-at-the-deadline": func() *world {
			w := serving()
			w.behave["b2"] = readyAfter(time.Hour)
			w.ask("b2")
			w.run(90 * time.Second)
			return w
		},
		"no-room-is-nobodys-fault": func() *world {
			w := serving()
			w.behave["b2"] = showing(0, false, noRoom)
			w.ask("b2")
			w.run(3 * time.Minute)
			w.note("a node joins")
			w.behave["b2"] = readyAfter(0)
			w.run(30 * time.Second)
			return w
		},
		"shared-outage-holds": func() *world {
			w := serving()
			w.behave["b2"] = showing(0, false, notReady)
			w.note("the database is away: stable is not ready either")
			w.behave["a1"] = showing(0, false, notReady)
			w.ask("b2")
			w.run(90 * time.Second)
			w.note("the database is back")
			w.behave["a1"], w.behave["b2"] = readyAfter(0), readyAfter(0)
			w.run(30 * time.Second)
			return w
		},
		"spec-changes-on-the-way": func() *world {
			w := serving()
			w.behave["b2"], w.behave["b3"] = readyAfter(20*time.Second), readyAfter(2*time.Second)
			w.ask("b2")
			w.run(5 * time.Second)
			w.note("the spec asks for b3")
			w.ask("b3")
			w.run(30 * time.Second)
			return w
		},
		"revert-on-the-way": func() *world {
			w := serving()
			w.behave["b2"] = readyAfter(20 * time.Second)
			w.ask("b2")
			w.run(5 * time.Second)
			w.note("the spec asks for a1 again")
			w.ask("a1")
			w.run(10 * time.Second)
			return w
		},
		"revert-during-the-bake": func() *world {
			w := serving()
			w.behave["b2"] = readyAfter(2 * time.Second)
			w.policy.Steps = nil
			w.ask("b2")
			w.run(30 * time.Second)
			w.note("the spec asks for a1 again")
			w.ask("a1")
			w.run(30 * time.Second)
			return w
		},
		"dies-right-after-the-switch": func() *world {
			w := serving()
			w.behave["b2"] = showing(9*time.Second, true, crashLoop)
			w.ask("b2")
			w.run(30 * time.Second)
			return w
		},
		"consul-away-during-the-switch": func() *world {
			w := serving()
			w.behave["b2"] = readyAfter(2 * time.Second)
			w.ask("b2")
			w.run(4 * time.Second)
			w.note("Consul goes away")
			w.away = "Consul answers again (connection refused)"
			w.run(40 * time.Second)
			w.note("Consul is back")
			w.away = ""
			w.run(20 * time.Second)
			return w
		},
		"migration-first": func() *world {
			w := serving()
			w.behave["b2"] = readyAfter(2 * time.Second)
			w.migration = &migration{takes: 90 * time.Second}
			w.ask("b2")
			w.run(2 * time.Minute)
			return w
		},
		"migration-fails": func() *world {
			w := serving()
			w.behave["b2"] = readyAfter(2 * time.Second)
			w.migration = &migration{takes: 5 * time.Second, fails: "migration Job failed: Error 1064: syntax"}
			w.ask("b2")
			w.run(15 * time.Second)
			return w
		},
		"fix-for-a-dead-stable": func() *world {
			w := serving()
			w.note("stable dies")
			w.behave["a1"] = showing(0, false, crashLoop)
			w.run(5 * time.Second)
			w.behave["b2"] = readyAfter(2 * time.Second)
			w.ask("b2")
			w.run(30 * time.Second)
			return w
		},
		"quarantine-outlives-a-revert-until-a-retry": func() *world {
			w := serving()
			w.behave["b2"] = showing(4*time.Second, false, crashLoop)
			w.ask("b2")
			w.run(15 * time.Second)
			w.note("the spec asks for a1, then for b2 again")
			w.ask("a1")
			w.run(3 * time.Second)
			w.behave["b2"] = readyAfter(2 * time.Second)
			w.ask("b2")
			w.run(10 * time.Second)
			w.note("a person has found what it missed, and commands a retry")
			w.command = "retry@b2@monday"
			w.run(2 * time.Minute)
			return w
		},
		"five-percent-errors-are-convicted": func() *world {
			w := serving()
			w.fails["a1"] = 0.001
			w.behave["b2"], w.fails["b2"] = readyAfter(2*time.Second), 0.05
			w.ask("b2")
			w.run(2 * time.Minute)
			w.note("a fixed revision")
			w.behave["b3"], w.fails["b3"] = readyAfter(2*time.Second), 0.001
			w.ask("b3")
			w.run(4 * time.Minute)
			return w
		},
		"dead-answers-are-convicted-at-once": func() *world {
			w := serving()
			w.policy.Steps = []int32{10, 50}
			w.behave["b2"], w.fails["b2"] = readyAfter(2*time.Second), 1
			w.ask("b2")
			w.run(30 * time.Second)
			return w
		},
		"shared-outage-of-answers-convicts-nobody": func() *world {
			w := serving()
			w.fails["a1"], w.fails["b2"] = 0.001, 0.001
			w.behave["b2"] = readyAfter(2 * time.Second)
			w.ask("b2")
			w.run(20 * time.Second)
			w.note("the database of both is away for a minute")
			w.fails["a1"], w.fails["b2"] = 0.5, 0.5
			w.run(time.Minute)
			w.note("it is back")
			w.fails["a1"], w.fails["b2"] = 0.001, 0.001
			w.run(3 * time.Minute)
			return w
		},
		"blindness-holds-the-step": func() *world {
			w := serving()
			w.behave["b2"] = readyAfter(2 * time.Second)
			w.ask("b2")
			w.run(15 * time.Second)
			w.note("the canary's page cannot be read")
			w.blind = "errors of pod b2-x cannot be read: connection refused. The step is held; see /metrics on its port admin"
			w.run(15 * time.Minute)
			w.note("it can be read again")
			w.blind = ""
			w.run(3 * time.Minute)
			return w
		},
		"no-requests-proceeds": func() *world {
			w := serving()
			w.rate, w.policy.MaxStep = 0, time.Minute
			w.behave["b2"] = readyAfter(2 * time.Second)
			w.ask("b2")
			w.run(7 * time.Minute)
			return w
		},
		"inconclusive-pauses-until-a-command": func() *world {
			w := serving()
			w.rate, w.policy.MaxStep = 3, time.Minute
			w.behave["b2"] = readyAfter(2 * time.Second)
			w.ask("b2")
			w.run(3 * time.Minute)
			w.note("a person lets it take one step, then all of them")
			w.command = "skip@b2@1"
			w.run(20 * time.Second)
			w.command = "promote@b2@2"
			w.run(90 * time.Second)
			return w
		},
		"paused-and-resumed": func() *world {
			w := serving()
			w.behave["b2"] = readyAfter(2 * time.Second)
			w.ask("b2")
			w.run(20 * time.Second)
			w.note("rollout.paused is set")
			w.policy.Paused = true
			w.run(2 * time.Minute)
			w.note("and taken away")
			w.policy.Paused = false
			w.run(3 * time.Minute)
			return w
		},
		"a-bad-canary-is-taken-back-while-paused": func() *world {
			w := serving()
			w.behave["b2"] = readyAfter(2 * time.Second)
			w.ask("b2")
			w.run(20 * time.Second)
			w.policy.Paused = true
			w.note("rollout.paused is set; then the canary begins to fail")
			w.fails["b2"] = 0.5
			w.run(30 * time.Second)
			return w
		},
		"abort-by-command": func() *world {
			w := serving()
			w.behave["b2"] = readyAfter(2 * time.Second)
			w.ask("b2")
			w.run(20 * time.Second)
			w.note("commands that cannot be followed, and one that can")
			w.command = "abort@zz@1"
			w.run(2 * time.Second)
			w.command = "halt"
			w.run(2 * time.Second)
			w.command = "abort@b2@3"
			w.run(15 * time.Second)
			return w
		},
		"a-new-spec-replaces-a-canary-with-requests": func() *world {
			w := serving()
			w.behave["b2"], w.behave["b3"] = readyAfter(2*time.Second), readyAfter(2*time.Second)
			w.ask("b2")
			w.run(40 * time.Second)
			w.note("the spec asks for b3")
			w.ask("b3")
			w.run(2 * time.Minute)
			return w
		},
		"revert-of-a-canary-with-requests": func() *world {
			w := serving()
			w.behave["b2"] = readyAfter(2 * time.Second)
			w.ask("b2")
			w.run(40 * time.Second)
			w.note("the spec asks for a1 again")
			w.ask("a1")
			w.run(20 * time.Second)
			return w
		},
		"turns-bad-during-the-bake": func() *world {
			w := serving()
			w.fails["a1"], w.policy.Bake = 0.001, 10*time.Minute
			w.behave["b2"] = readyAfter(2 * time.Second)
			w.ask("b2")
			w.run(3 * time.Minute)
			w.note("b2 begins to fail")
			w.fails["b2"] = 0.1
			w.run(time.Minute)
			return w
		},
		"outage-during-the-bake-asks-and-goes-on": func() *world {
			w := serving()
			w.policy.Bake = 5 * time.Minute
			w.fails["a1"], w.fails["b2"] = 0.001, 0.001
			w.behave["b2"] = readyAfter(2 * time.Second)
			w.ask("b2")
			w.run(2 * time.Minute)
			w.note("an outage that both would show")
			w.fails["a1"], w.fails["b2"] = 0.1, 0.1
			w.run(time.Minute)
			w.note("it is over")
			w.fails["a1"], w.fails["b2"] = 0.001, 0.001
			w.run(8 * time.Minute)
			return w
		},
		"stable-dies-and-the-canary-takes-over": func() *world {
			w := serving()
			w.policy.MinStep = time.Minute
			w.behave["b2"] = readyAfter(2 * time.Second)
			w.ask("b2")
			w.run(20 * time.Second)
			w.note("stable dies; the canary does not")
			w.behave["a1"] = showing(0, false, crashLoop)
			w.run(30 * time.Second)
			return w
		},
		"by-replicas-without-a-registry": func() *world {
			w := serving()
			w.replicas, w.policy.Coarse = 3, true
			w.run(5 * time.Second)
			w.behave["b2"] = readyAfter(2 * time.Second)
			w.ask("b2")
			w.run(4 * time.Minute)
			return w
		},
		"blue-green": func() *world {
			w := serving()
			w.policy.Steps = nil
			w.behave["b2"] = readyAfter(2 * time.Second)
			w.ask("b2")
			w.run(2 * time.Minute)
			return w
		},
		"one-of-fifty-pods": func() *world {
			w := serving()
			w.replicas, w.rate = 50, 1000
			w.run(5 * time.Second)
			w.fails["a1"], w.fails["b2"] = 0.001, 0.02
			w.behave["b2"] = readyAfter(2 * time.Second)
			w.ask("b2")
			w.run(2 * time.Minute)
			return w
		},
		"scaled-during-a-canary": func() *world {
			w := serving()
			w.behave["b2"] = readyAfter(2 * time.Second)
			w.ask("b2")
			w.run(25 * time.Second)
			w.note("an autoscaler asks for 6 pods, then for 2")
			w.replicas = 6
			w.run(30 * time.Second)
			w.replicas = 2
			w.run(3 * time.Minute)
			return w
		},
		"a-webhook-holds-and-then-says-no": func() *world {
			w := serving()
			w.behave["b2"] = readyAfter(2 * time.Second)
			w.waiting = "webhook smoke asks to wait: tests run"
			w.ask("b2")
			w.run(time.Minute)
			w.waiting, w.failed = "", "webhook smoke says no: 3 of 40 tests fail"
			w.run(20 * time.Second)
			return w
		},
		"made-anew-with-a-quarantined-revision": func() *world {
			w := newWorld()
			w.ledger["b2"] = plan.Rejection{Hash: "b2", Image: "rating:b2", Reason: "Worse", Message: "9 of 31 bad against 1 of 588", Quarantined: true}
			w.promoted = plan.Part{Hash: "a1", Image: "rating:a1"}
			w.behave["a1"] = readyAfter(2 * time.Second)
			w.note("the resource comes from a backup, with b2 in its spec")
			w.ask("b2")
			w.run(20 * time.Second)
			return w
		},
	}
	for name, tell := range stories {
		t.Run(name, func(t *testing.T) { golden(t, name, tell().narration()) })
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", "narrations", name+".txt")
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("read the golden narration (run with -update to write it): %v", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("narration %s differs (-want +got):\n%s", name, diff)
	}
}
