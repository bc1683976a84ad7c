package plan_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/fleetservice/plan"
	"movieexample.com/fleet/controllers/fleetservice/signals"
	"movieexample.com/fleet/controllers/fleetservice/signals/progress"
)

// epoch is when every narration starts.
var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// digits are what differs between two messages that say the same.
var digits = regexp.MustCompile(`E = [0-9.^]+ of [0-9]+|[0-9]+ of [0-9]+ bad( against [0-9]+ of [0-9]+)?`)

// world is a cluster in which one service lives: it carries out the planner's actions and lets pods behave as told.
type world struct {
	now       time.Time
	state     plan.State
	desired   plan.Part
	replicas  int32
	policy    plan.Policy
	blocked   string
	damaged   string             // why the ledger cannot be read
	away      string             // why the traffic provider does not answer
	blind     string             // why nothing can be counted
	split     plan.Split         // at the provider that may be away, which is the first
	others    plan.Split         // at all others
	rate      float64            // requests a second
	fails     map[string]float64 // share of bad answers by revision
	counted   *counted
	ledger    map[string]plan.Rejection
	promoted  plan.Part
	command   string
	waiting   string               // which check asks to wait
	failed    string               // which check says no
	pods      map[string]int32     // what Deployments ask for
	running   map[string]time.Time // Deployments by hash: when they were made
	behave    map[string]behaviour
	migration *migration // of the desired revision, where the service migrates
	acted     bool       // the last step carried actions out
	story     []string
	said      string
	poison    float64           // of a consumer: share of bad events in one partition, which a canary has, whoever reads it
	waits     map[string]string // of a consumer: what a revision's pods wait for; then nothing is counted of them
	hangs     map[string]bool   // of a consumer: revisions that do not read on
	tracker   progress.Tracker
	read      map[string]int64 // how far each revision is
	along     map[string]bool  // Deployments whose pods are shadows
	lingers   time.Duration    // how long the pod of a shadow takes to go
	left      map[string]time.Time
	removed   map[string]time.Time
	rewinds   rewinds
}

// behaviour tells what the pods of a revision show at an age.
type behaviour func(w *world, pods int32, age time.Duration) plan.Revision

// migration runs for a while and then ends.
type migration struct {
	started time.Time
	takes   time.Duration
	fails   string
}

func newWorld() *world {
	return &world{
		now: epoch, replicas: 2, rate: 100, running: map[string]time.Time{}, behave: map[string]behaviour{}, pods: map[string]int32{},
		fails: map[string]float64{}, ledger: map[string]plan.Rejection{}, hangs: map[string]bool{}, waits: map[string]string{}, read: map[string]int64{},
		along: map[string]bool{}, left: map[string]time.Time{},
		removed: map[string]time.Time{}, rewinds: rewinds{takes: 3 * time.Second},
		policy: plan.Policy{
			Steps: []int32{1, 5, 20, 50}, StartDeadline: time.Minute, MinStep: 10 * time.Second, MaxStep: 10 * time.Minute,
			Bake: time.Minute, Drain: 10 * time.Second, Interval: time.Second,
			OnInconclusive: v1alpha1.InconclusivePause, OnNoTraffic: v1alpha1.NoTrafficProceed,
		},
	}
}

// ask changes the spec.
func (w *world) ask(hash string) { w.desired = plan.Part{Hash: hash, Image: "rating:" + hash} }

// readyAfter is a good revision.
func readyAfter(d time.Duration) behaviour {
	return func(w *world, pods int32, age time.Duration) plan.Revision {
		if age < d {
			return plan.Revision{Pods: pods, Facts: []signals.Fact{{Blame: signals.Release, Reason: signals.NotReady, Since: w.now.Add(-age), Message: "pod x runs but its readiness probe does not pass"}}}
		}
		return plan.Revision{Pods: pods, Ready: pods, ReadySince: w.now.Add(-age + d)}
	}
}

// showing is a revision that shows a fact from an age on and is ready before.
func showing(from time.Duration, ready bool, f signals.Fact) behaviour {
	return func(w *world, pods int32, age time.Duration) plan.Revision {
		if age < from && ready {
			return plan.Revision{Pods: pods, Ready: pods, ReadySince: w.now.Add(-age)}
		}
		if age < from {
			return plan.Revision{Pods: pods}
		}
		return plan.Revision{Pods: pods, Facts: []signals.Fact{f}}
	}
}

func (w *world) observe() plan.Observation {
	o := plan.Observation{
		Now: w.now, State: w.state, Policy: w.policy, Desired: w.desired, Replicas: w.replicas,
		Blocked: w.blocked, LedgerDamaged: w.damaged, Revisions: map[string]plan.Revision{}, Migration: w.migrated(),
		Traffic: plan.Traffic{Unreachable: w.away}, Quarantined: map[string]plan.Rejection{}, Remembered: w.remembered(), Command: w.command,
		Rewind: w.rewindJob(),
	}
	for hash, r := range w.ledger {
		if w.damaged == "" && w.state.Command.Forgiven() != hash {
			o.Quarantined[hash] = r
		}
	}
	for hash, made := range w.running {
		r := w.behave[hash](w, w.pods[hash], w.now.Sub(made))
		r.Created, r.Wanted = made, w.pods[hash]
		w.shadow(hash, &r)
		o.Revisions[hash] = r
	}
	o.Traffic.Follows = w.policy.Partitions > 0 || (w.away == "" && w.split == plan.Wanted(o) && w.others == w.split)
	o.Evidence = w.evidence(o)
	o.Evidence.Waiting, o.Evidence.Failed = w.waiting, w.failed
	if w.policy.Partitions > 0 {
		j := w.tracker.Judge(w.state.Canary.Hash, w.state.Stable.Hash, plan.Alone(o), w.policy.MaxStep)
		o.Evidence.Stuck, o.Evidence.Waiting = j.Stuck, j.Waiting
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

// remembered is the revision promoted last, where the ledger can be read.
func (w *world) remembered() plan.Part {
	if w.damaged != "" {
		return plan.Part{}
	}
	return w.promoted
}

// remember keeps the ledger, as the controller does; one that is damaged is left as it is.
func (w *world) remember() {
	if w.damaged != "" {
		return
	}
	if r := w.state.Rejected; r.Quarantined {
		w.ledger[r.Hash] = r
	}
	if hash := w.state.Command.Forgiven(); hash != "" && !w.ledger[hash].At.After(w.state.Command.At) {
		delete(w.ledger, hash)
	}
	if w.state.Stable.Hash != "" {
		w.promoted = w.state.Stable
	}
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
	w.acted = p.Decision == nil
	if d := p.Decision; d != nil {
		w.state = d.State
		w.say("%-10s %s", d.Verb, d.Reason)
		return true
	}
	// Numbers that change with each look are told with the decision that they lead to.
	if told := fmt.Sprintf("%s: %s", p.Outlook.Phase, p.Outlook.Message); digits.ReplaceAllString(told, "") != digits.ReplaceAllString(w.said, "") {
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
		}
		w.runs(a)
	case plan.Migrate:
		w.migration.started = w.now
		w.say("%-10s %s", "migrate", a.Hash)
	case plan.Route:
		return w.route(a)
	case plan.Remember:
		w.remember()
	case plan.GoBack:
		w.goBack(a.Hash)
	case plan.Sweep:
		live := []string{w.state.Stable.Hash, w.state.Canary.Hash, w.state.Previous.Hash}
		for _, p := range w.state.Leaving {
			live = append(live, p.Hash)
		}
		for _, hash := range w.deployed() {
			if !slices.Contains(live, hash) {
				delete(w.running, hash)
				delete(w.pods, hash)
				delete(w.along, hash)
				w.removed[hash] = w.now
				w.say("%-10s %s", "remove", hash)
			}
		}
	}
	return true
}

// route asks the providers in order.
func (w *world) route(a plan.Action) bool {
	switch {
	case w.away != "" && !a.Withdraw:
		return false
	case w.away != "" && w.others != a.Split:
		w.say("%-10s %s, by all that answer", "route", a.Split)
	case w.away == "" && w.split != a.Split:
		w.say("%-10s %s", "route", a.Split)
	}
	if w.away == "" {
		w.split = a.Split
	}
	w.others = a.Split
	return w.away == ""
}

// runs brings a Deployment to what is asked for. A shadow's pod may take a while to go.
func (w *world) runs(a plan.Action) {
	if w.along[a.Hash] && w.pods[a.Hash] > 0 && !a.Shadow {
		w.left[a.Hash] = w.now.Add(w.lingers)
	}
	if w.pods[a.Hash] == a.Pods && w.along[a.Hash] == a.Shadow {
		return
	}
	w.pods[a.Hash], w.along[a.Hash] = a.Pods, a.Shadow
	how := ""
	if a.Shadow {
		how = " that read along"
	}
	w.say("%-10s %s with %d pods%s", "run", a.Hash, a.Pods, how)
}

// shadow tells which of a revision's pods read along.
func (w *world) shadow(hash string, r *plan.Revision) {
	if w.along[hash] {
		r.Shadows = r.Pods
	}
	if w.now.Before(w.left[hash]) {
		r.Pods, r.Shadows = r.Pods+1, r.Shadows+1
	}
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
		w.count()
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
