package plan_test

import (
	"time"

	"movieexample.com/fleet/controllers/fleetservice/plan"
)

// canaryStories are about what happens while a revision has a share of the requests, and after.
func canaryStories() map[string]func() *world {
	return map[string]func() *world{
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
		"a-bad-canary-is-taken-back-while-the-spec-is-refused": func() *world {
			w := serving()
			w.behave["b2"] = readyAfter(2 * time.Second)
			w.ask("b2")
			w.run(20 * time.Second)
			w.note("the spec is edited to something that the API server refuses; b2 begins to fail")
			w.desired, w.fails["b2"] = plan.Part{}, 0.2
			w.run(30 * time.Second)
			return w
		},
		"a-damaged-ledger-holds-what-is-new": func() *world {
			w := serving()
			w.behave["b2"], w.behave["c3"] = readyAfter(2*time.Second), readyAfter(2*time.Second)
			w.ask("b2")
			w.run(25 * time.Second)
			w.note("somebody damages the ledger")
			w.damaged = "ConfigMap movies/fleet-ledger-rating: its key verdicts.json is damaged: mend it, or delete the ConfigMap"
			w.run(2 * time.Minute)
			w.note("b2 begins to fail")
			w.fails["b2"] = 0.2
			w.run(30 * time.Second)
			w.note("a person tries to have it again, then asks for another revision")
			w.command = "retry@b2@1"
			w.run(time.Second)
			w.ask("c3")
			w.run(30 * time.Second)
			w.note("the ledger is mended")
			w.damaged = ""
			w.run(10 * time.Second)
			return w
		},
		"paused-during-the-bake": func() *world {
			w := serving()
			w.policy.Bake = 10 * time.Minute
			w.behave["b2"], w.behave["c3"] = readyAfter(2*time.Second), readyAfter(2*time.Second)
			w.ask("b2")
			w.run(2 * time.Minute)
			w.note("the rollout is paused; the spec asks for c3")
			w.policy.Paused = true
			w.ask("c3")
			w.run(30 * time.Second)
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
}
