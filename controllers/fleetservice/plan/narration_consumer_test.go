package plan_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"movieexample.com/fleet/controllers/fleetservice/plan"
	"movieexample.com/fleet/controllers/fleetservice/signals"
)

// members is how a group shares its partitions out: evenly over the pods that are ready. A shadow is no member.
func (w *world) members(canary, stable string) plan.Split {
	c, s := w.readyPods(canary), w.readyPods(stable)
	if w.along[canary] {
		c = 0
	}
	switch {
	case c+s == 0 || c == 0:
		return plan.Split{Main: stable}
	case s == 0 && stable == "":
		return plan.Split{Main: canary}
	}
	if w.state.Canary.Hash == "" { // judged is stable, beside the previous one
		if s == 0 {
			return plan.Split{Main: canary}
		}
		return plan.Split{Main: canary, Other: stable, Percent: 100 * s / (c + s)}
	}
	return plan.Split{Main: stable, Other: canary, Percent: 100 * c / (c + s)}
}

// track lets each revision that has pods read on for a second, unless it hangs, and tells the tracker of it.
func (w *world) track() {
	reading := signals.Reading{At: w.now}
	for i, hash := range w.deployed() {
		if w.readyPods(hash) == 0 {
			continue
		}
		if !w.hangs[hash] {
			w.read[hash] += 10
		}
		reading.Pods = append(reading.Pods, signals.PodReading{
			UID: hash, Name: hash + "-x", Revision: hash, Waits: w.waits[hash],
			Totals:     map[string]signals.Total{signals.Errors: {Requests: w.read[hash]}},
			Partitions: map[int32]signals.Partition{int32(i): {Next: w.read[hash], Lag: 100}},
		})
	}
	w.tracker.Add(reading)
}

// consuming is a world in which a1 has been reading a topic for a while.
func consuming(partitions, replicas int32) *world {
	w := newWorld()
	w.policy.Partitions, w.policy.Steps, w.replicas = partitions, nil, replicas
	w.fails["a1"] = 0.001
	w.behave["a1"], w.behave["b2"] = readyAfter(2*time.Second), readyAfter(2*time.Second)
	w.ask("a1")
	w.run(time.Minute)
	w.story, w.said = nil, ""
	return w
}

// TestConsumerNarrations tells rollouts of services whose work are partitions.
func TestConsumerNarrations(t *testing.T) {
	for name, tell := range map[string]func() *world{
		"consumer-good-change": func() *world {
			w := consuming(12, 3)
			w.ask("b2")
			w.run(4 * time.Minute)
			return w
		},
		"consumer-bad-change": func() *world {
			w := consuming(12, 3)
			w.fails["b2"] = 0.1
			w.ask("b2")
			w.run(time.Minute)
			return w
		},
		"consumer-poison-in-one-partition": func() *world {
			w := consuming(12, 3)
			w.poison = 0.3
			w.ask("b2")
			w.run(time.Minute)
			w.note("the producer is mended: 0.1 %% of the partition's events are bad again")
			w.poison = 0.001
			w.run(2 * time.Minute)
			w.note("who has looked at the dead letters lets it go on")
			w.command = "promote@b2@1"
			w.run(2 * time.Minute)
			return w
		},
		"consumer-poison-during-the-bake": func() *world {
			w := consuming(12, 3)
			w.policy.Bake = 6 * time.Minute
			w.ask("b2")
			w.run(2 * time.Minute)
			w.note("a producer spoils one partition")
			w.poison = 0.8
			w.run(150 * time.Second)
			w.note("it is mended")
			w.poison = 0
			w.run(5 * time.Minute)
			return w
		},
		"consumer-bad-in-all-partitions": func() *world {
			w := consuming(12, 3)
			w.poison, w.fails["b2"] = 0.3, 0.1
			w.ask("b2")
			w.run(time.Minute)
			return w
		},
		"consumer-hangs": func() *world {
			w := consuming(12, 3)
			w.hangs["b2"] = true
			w.ask("b2")
			w.run(time.Minute)
			return w
		},
		"consumer-outage-stops-both": func() *world {
			w := consuming(12, 3)
			w.ask("b2")
			w.run(5 * time.Second)
			w.note("the database is away: nobody reads on")
			w.hangs["a1"], w.hangs["b2"] = true, true
			w.run(time.Minute)
			w.note("it is back")
			w.hangs["a1"], w.hangs["b2"] = false, false
			w.run(2 * time.Minute)
			return w
		},
		"consumer-one-partition": func() *world {
			w := consuming(1, 1)
			w.ask("b2")
			w.run(4 * time.Minute)
			return w
		},
		"consumer-one-partition-bad": func() *world {
			w := consuming(1, 1)
			w.fails["b2"] = 0.1
			w.ask("b2")
			w.run(time.Minute)
			return w
		},
		"consumer-one-partition-outage": func() *world {
			w := consuming(1, 1)
			w.ask("b2")
			w.run(8 * time.Second)
			w.note("the database is away")
			w.hangs["b2"], w.waits["b2"] = true, signals.Database
			w.run(time.Minute)
			w.note("it is back")
			w.hangs["b2"], w.waits["b2"] = false, ""
			w.run(2 * time.Minute)
			return w
		},
		"consumer-one-partition-outage-without-end": func() *world {
			w := consuming(1, 1)
			w.policy.MaxStep = 2 * time.Minute
			w.ask("b2")
			w.run(8 * time.Second)
			w.note("the database is away")
			w.hangs["b2"], w.waits["b2"] = true, signals.Database
			w.run(3 * time.Minute)
			return w
		},
		"consumer-one-partition-reaches-no-database": func() *world {
			w := consuming(1, 1)
			w.hangs["b2"], w.waits["b2"] = true, signals.Database
			w.ask("b2")
			w.run(time.Minute)
			return w
		},
		"consumer-one-partition-cannot-start": func() *world {
			w := consuming(1, 1)
			w.behave["b2"] = showing(time.Second, false, missing)
			w.ask("b2")
			w.run(20 * time.Second)
			return w
		},
		"consumer-members-are-partitions": func() *world {
			w := consuming(4, 4)
			w.ask("b2")
			w.run(4 * time.Minute)
			return w
		},
		"consumer-scaled-during-a-canary": func() *world {
			w := consuming(12, 3)
			w.ask("b2")
			w.run(10 * time.Second)
			w.note("6 pods are asked for, then 2")
			w.replicas = 6
			w.run(20 * time.Second)
			w.replicas = 2
			w.run(3 * time.Minute)
			return w
		},
		"consumer-revert": func() *world {
			w := consuming(12, 3)
			w.ask("b2")
			w.run(15 * time.Second)
			w.note("the spec asks for a1 again")
			w.ask("a1")
			w.run(15 * time.Second)
			return w
		},
		"consumer-turns-bad-during-the-bake": func() *world {
			w := consuming(12, 3)
			w.policy.Bake = 5 * time.Minute
			w.ask("b2")
			w.run(2 * time.Minute)
			w.note("b2 begins to fail")
			w.fails["b2"] = 0.1
			w.run(time.Minute)
			return w
		},
		"consumer-crashes-during-the-bake": func() *world {
			w := consuming(12, 3)
			w.policy.Bake = 5 * time.Minute
			w.ask("b2")
			w.run(2 * time.Minute)
			w.behave["b2"] = showing(0, false, crashLoop)
			w.run(20 * time.Second)
			return w
		},
	} {
		t.Run(name, func(t *testing.T) { golden(t, name, tell().narration()) })
	}
}

// TestConsumerMembers: whatever happens, no revision that was taken back has pods, there are no more members than
// partitions (but for the pod that takes over a single one), and while a canary is judged by comparison stable reads too.
func TestConsumerMembers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld()
		w.policy.Partitions = rapid.SampledFrom([]int32{1, 2, 3, 7, 12}).Draw(t, "partitions")
		w.policy.Steps = rapid.SampledFrom([][]int32{nil, {1}, {2, 5}, {}}).Draw(t, "steps")
		w.policy.MaxStep = time.Minute
		w.policy.Shadow = rapid.Bool().Draw(t, "shadow")
		w.lingers = rapid.SampledFrom([]time.Duration{0, 5 * time.Second}).Draw(t, "a shadow's pod goes after")
		hashes := []string{"a1", "b2", "c3"}
		behaviours := []behaviour{readyAfter(0), readyAfter(3 * time.Second), readyAfter(time.Hour), showing(2*time.Second, false, crashLoop), showing(0, false, noRoom)}
		for _, h := range hashes {
			w.behave[h] = rapid.SampledFrom(behaviours).Draw(t, "behaviour of "+h)
			w.fails[h] = rapid.SampledFrom([]float64{0, 0.001, 0.1, 1}).Draw(t, "failures of "+h)
		}
		for range rapid.IntRange(1, 10).Draw(t, "events") {
			anyConsumerEvent(t, w, hashes, behaviours)
			for end := w.now.Add(time.Duration(rapid.IntRange(1, 60).Draw(t, "seconds")) * time.Second); w.now.Before(end); w.now = w.now.Add(time.Second) {
				w.settle(func(w *world) { checkMembers(t, w) })
				w.count()
			}
		}
		for _, h := range hashes {
			w.behave[h], w.fails[h], w.hangs[h] = readyAfter(0), 0.001, false
		}
		w.policy.Paused, w.replicas = false, min(3, w.policy.Partitions)
		w.behave["e5"] = readyAfter(time.Second)
		w.ask("e5")
		w.run(12 * time.Minute)
		if w.state.Stable.Hash != "e5" || len(w.running) != 1 || w.pods["e5"] != w.replicas {
			t.Fatalf("stable %q, pods %v; want e5 alone with %d:\n%s", w.state.Stable.Hash, w.pods, w.replicas, w.narration())
		}
	})
}

func anyConsumerEvent(t *rapid.T, w *world, hashes []string, behaviours []behaviour) {
	hash := rapid.SampledFrom(hashes).Draw(t, "which")
	switch rapid.IntRange(0, 7).Draw(t, "event") {
	case 0, 1:
		w.ask(hash)
	case 2:
		w.behave[hash] = rapid.SampledFrom(behaviours).Draw(t, "now does")
	case 3:
		w.replicas = rapid.Int32Range(0, w.policy.Partitions).Draw(t, "scaled to")
	case 4:
		w.policy.Paused = rapid.Bool().Draw(t, "paused")
	case 5:
		w.hangs[hash] = rapid.Bool().Draw(t, "hangs")
	case 6:
		w.policy.Shadow = rapid.Bool().Draw(t, "now with a shadow")
	case 7:
		w.command = fmt.Sprintf("%s@%s@%d", rapid.SampledFrom([]string{"promote", "skip", "abort", "retry"}).Draw(t, "verb"), hash, w.now.Unix())
	}
}

func checkMembers(t *rapid.T, w *world) {
	if !w.acted {
		return
	}
	s, members := w.state, int32(0)
	for hash, pods := range w.pods {
		if !w.along[hash] {
			members += pods
		}
	}
	checkShadow(t, w)
	idle := int32(0)
	if w.policy.Partitions == 1 && s.Canary.Hash != "" {
		idle = 1
	}
	if members > w.policy.Partitions+idle {
		t.Fatalf("%d members for %d partitions (%v):\n%s", members, w.policy.Partitions, w.pods, w.narration())
	}
	if bad := s.Rejected.Hash; bad != "" && bad != s.Stable.Hash && bad != s.Canary.Hash && w.pods[bad] > 0 {
		t.Fatalf("%s was taken back and has %d pods:\n%s", bad, w.pods[bad], w.narration())
	}
	if s.Canary.Hash != "" && s.Stable.Hash != "" && w.replicas > 0 && w.policy.Partitions > 1 && w.readyPods(s.Stable.Hash) > 0 && w.pods[s.Stable.Hash] < 1 {
		t.Fatalf("nothing is beside the canary (%v):\n%s", w.pods, w.narration())
	}
	if s.Previous.Hash != "" && s.Asking.IsZero() && w.pods[s.Previous.Hash] > 0 {
		t.Fatalf("the previous revision has pods during the bake (%v):\n%s", w.pods, w.narration())
	}
	if live := []string{s.Stable.Hash, s.Canary.Hash, s.Previous.Hash}; len(w.deployed()) > 0 && slices.ContainsFunc(w.deployed(), func(h string) bool { return !slices.Contains(live, h) }) {
		t.Fatalf("a revision without a part has pods: %s:\n%s", fmt.Sprint(w.pods), w.narration())
	}
}
