package plan_test

import (
	"flag"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

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
		"consul-away-when-a-canary-is-convicted": func() *world {
			w := serving()
			w.behave["b2"] = readyAfter(2 * time.Second)
			w.ask("b2")
			w.run(25 * time.Second)
			w.note("Consul goes away, and b2 begins to fail")
			w.away, w.fails["b2"] = "Consul answers again (connection refused)", 0.2
			w.run(30 * time.Second)
			w.note("Consul is back")
			w.away = ""
			w.run(20 * time.Second)
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
	}
	maps.Copy(stories, canaryStories())
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
