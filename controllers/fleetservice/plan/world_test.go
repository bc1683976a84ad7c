package plan_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"movieexample.com/fleet/controllers/fleetservice/plan"
	"movieexample.com/fleet/controllers/fleetservice/signals"
)

// epoch is when every narration starts.
var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// world is a cluster in which one service lives: it carries out the planner's actions and lets pods behave as told.
type world struct {
	now       time.Time
	state     plan.State
	desired   plan.Part
	replicas  int32
	deadline  time.Duration
	drain     time.Duration
	blocked   string
	away      string // why the traffic provider does not answer
	traffic   string
	running   map[string]time.Time // Deployments by hash: when they were made
	behave    map[string]behaviour
	migration *migration // of the desired revision, where the service migrates
	story     []string
	said      string
}

// behaviour tells what the pods of a revision show at an age.
type behaviour func(w *world, age time.Duration) plan.Revision

// migration runs for a while and then ends.
type migration struct {
	started time.Time
	takes   time.Duration
	fails   string
}

func newWorld() *world {
	return &world{now: epoch, replicas: 2, deadline: time.Minute, drain: 10 * time.Second, running: map[string]time.Time{}, behave: map[string]behaviour{}}
}

// ask changes the spec.
func (w *world) ask(hash string) { w.desired = plan.Part{Hash: hash, Image: "rating:" + hash} }

// readyAfter is a good revision.
func readyAfter(d time.Duration) behaviour {
	return func(w *world, age time.Duration) plan.Revision {
		if age < d {
			return plan.Revision{Pods: w.replicas, Facts: []signals.Fact{{Blame: signals.Release, Reason: signals.NotReady, Since: w.now.Add(-age), Message: "pod x runs but its readiness probe does not pass"}}}
		}
		return plan.Revision{Pods: w.replicas, Ready: w.replicas, ReadySince: w.now.Add(-age + d)}
	}
}

// showing is a revision that shows a fact from an age on and is ready before.
func showing(from time.Duration, ready bool, f signals.Fact) behaviour {
	return func(w *world, age time.Duration) plan.Revision {
		if age < from && ready {
			return plan.Revision{Pods: w.replicas, Ready: w.replicas, ReadySince: w.now.Add(-age)}
		}
		if age < from {
			return plan.Revision{Pods: w.replicas}
		}
		return plan.Revision{Pods: w.replicas, Facts: []signals.Fact{f}}
	}
}

func (w *world) observe() plan.Observation {
	o := plan.Observation{
		Now: w.now, State: w.state, Desired: w.desired, Replicas: w.replicas, StartDeadline: w.deadline, Drain: w.drain,
		Blocked: w.blocked, Revisions: map[string]plan.Revision{}, Migration: w.migrated(),
		Traffic: plan.Traffic{Hash: w.traffic, Unreachable: w.away},
	}
	if w.away != "" {
		o.Traffic.Hash = ""
	}
	for hash, made := range w.running {
		r := w.behave[hash](w, w.now.Sub(made))
		r.Created = made
		o.Revisions[hash] = r
	}
	return o
}

func (w *world) migrated() plan.Migration {
	switch m := w.migration; {
	case m == nil || w.state.Stable.Image == w.desired.Image:
		return plan.Migration{}
	case m.started.IsZero():
		return plan.Migration{Phase: plan.MigrationMissing}
	case w.now.Sub(m.started) < m.takes:
		return plan.Migration{Phase: plan.MigrationRunning, Message: "Job runs"}
	case m.fails != "":
		return plan.Migration{Phase: plan.MigrationFailed, Message: m.fails}
	}
	return plan.Migration{Phase: plan.MigrationDone}
}

// settle lets the planner decide and act until it is at rest for this moment, and calls seen after each step.
func (w *world) settle(seen func(w *world)) {
	for i := 0; w.step(); i++ {
		seen(w)
		if i > 10 {
			panic("the planner decides without end:\n" + w.narration())
		}
	}
	seen(w)
}

// step plans once and carries the plan out; it reports whether anything was decided.
func (w *world) step() bool {
	p := plan.Next(w.observe())
	if d := p.Decision; d != nil {
		w.state = d.State
		w.say("%-10s %s", d.Verb, d.Reason)
		return true
	}
	if told := fmt.Sprintf("%s: %s", p.Outlook.Phase, p.Outlook.Message); told != w.said {
		w.said = told
		w.say("%-10s %s", "·", told)
	}
	for _, a := range p.Actions {
		if !w.act(a) {
			return false
		}
	}
	return false
}

// act carries out one action and reports whether the next may follow.
func (w *world) act(a plan.Action) bool {
	switch a.Kind {
	case plan.Run:
		if _, made := w.running[a.Hash]; !made {
			w.running[a.Hash] = w.now
			w.say("%-10s %s", "run", a.Hash)
		}
	case plan.Migrate:
		w.migration.started = w.now
		w.say("%-10s %s", "migrate", a.Hash)
	case plan.Route:
		if w.away != "" {
			return false
		}
		if w.traffic != a.Hash {
			w.say("%-10s %s → %s", "route", orNone(w.traffic), a.Hash)
			w.traffic = a.Hash
		}
	case plan.Sweep:
		live := []string{w.state.Stable.Hash, w.state.Canary.Hash, w.state.Previous.Hash}
		for _, hash := range w.deployed() {
			if !slices.Contains(live, hash) {
				delete(w.running, hash)
				w.say("%-10s %s", "remove", hash)
			}
		}
	}
	return true
}

func (w *world) deployed() []string {
	var hashes []string
	for hash := range w.running {
		hashes = append(hashes, hash)
	}
	slices.Sort(hashes)
	return hashes
}

// run lets the world go on for d, looking every second.
func (w *world) run(d time.Duration) {
	for end := w.now.Add(d); w.now.Before(end); w.now = w.now.Add(time.Second) {
		w.settle(func(*world) {})
	}
}

func (w *world) say(format string, args ...any) {
	at := w.now.Sub(epoch)
	w.story = append(w.story, fmt.Sprintf("%02d:%02d ", int(at.Minutes()), int(at.Seconds())%60)+fmt.Sprintf(format, args...))
}

// note puts the test's own words into the story: what happens to the world.
func (w *world) note(format string, args ...any) {
	w.say("%-10s "+format, append([]any{"—"}, args...)...)
}

func (w *world) narration() string { return strings.Join(w.story, "\n") + "\n" }

func orNone(hash string) string {
	if hash == "" {
		return "nowhere"
	}
	return hash
}
