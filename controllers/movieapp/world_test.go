package movieapp

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/internal/bindings"
)

// world is an application and its FleetServices without an API server: it does what a plan says, and a test says how
// the services fare. What happens is written down.
type world struct {
	t       *testing.T
	app     *v1alpha1.MovieApp
	live    map[string]*v1alpha1.FleetService
	foreign map[string]bool
	reports map[string]bindings.Report
	blind   map[string]string
	story   strings.Builder
}

func newWorld(t *testing.T) *world {
	return &world{t: t, app: sample(t), live: map[string]*v1alpha1.FleetService{}, foreign: map[string]bool{},
		reports: map[string]bindings.Report{}, blind: map[string]string{}}
}

func (w *world) note(format string, args ...any) { fmt.Fprintf(&w.story, format+"\n", args...) }

// change edits the spec as a user would.
func (w *world) change(what string, edit func(*v1alpha1.MovieAppSpec)) {
	edit(&w.app.Spec)
	w.app.Generation++
	w.note("user: %s", what)
}

// setReplicas is an edit that scales one service.
func setReplicas(name string, n int32) func(*v1alpha1.MovieAppSpec) {
	return func(spec *v1alpha1.MovieAppSpec) {
		s := spec.Services[name]
		s.Replicas = &n
		spec.Services[name] = s
	}
}

// reconcile decides and does until nothing is left to do, as the controller does with each event.
func (w *world) reconcile() {
	w.t.Helper()
	for range 10 {
		o := w.observe()
		p := decide(o)
		acted := false
		for i := range p.steps {
			acted = w.do(&p.steps[i]) || acted
		}
		w.app.Status = statusOf(o, p, time.Unix(0, 0))
		w.honest()
		if !acted {
			w.tell(p)
			return
		}
	}
	w.t.Fatalf("after 10 rounds there is still something to do:\n%s", w.story.String())
}

// honest checks that the application is not called Ready while a service has said nothing yet of the spec that it has.
func (w *world) honest() {
	w.t.Helper()
	if isSet(w.app.Status.Conditions, v1alpha1.ConditionReady) == 0 {
		return
	}
	for name, fs := range w.live {
		if current(fs, v1alpha1.ConditionReady) == nil {
			w.t.Fatalf("the application is Ready although %s has not looked at its new spec:\n%s", name, w.story.String())
		}
	}
}

// observe sees the services as a cache shows them: without what is done to them later.
func (w *world) observe() observation {
	live := map[string]*v1alpha1.FleetService{}
	for name, fs := range w.live {
		live[name] = fs.DeepCopy()
	}
	o := observation{app: w.app, live: live, foreign: w.foreign, bindings: map[string]bindings.Report{}, unobserved: w.blind}
	var err error
	if o.services, err = resolve(w.app); err != nil {
		o.services, o.invalid = nil, err.Error()
	}
	for _, s := range o.services {
		report, said := w.reports[s.name]
		if !said {
			report = bindings.Report{Ready: true, MySQL: &bindings.MySQL{Host: "db", Port: 3306, Database: s.name}}
		}
		o.bindings[s.name] = report
	}
	return o
}

// do carries out a step and is true when that changed something.
func (w *world) do(st *step) bool {
	fs := w.live[st.fleetService]
	switch st.verb {
	case wait:
		return false
	case remove:
		delete(w.live, st.fleetService)
	case create:
		fs = child(w.app, st)
		fs.Generation = 1
		w.live[st.fleetService] = fs
	case keep, advance:
		if reflect.DeepEqual(fs.Spec, st.spec) {
			return false
		}
		fs.Spec, fs.Generation = st.spec, fs.Generation+1
		st.changed(fs.Generation)
		fs.Annotations[v1alpha1.AnnotationReleased] = st.release
	}
	replicas := "default"
	if st.spec.Replicas != nil {
		replicas = fmt.Sprint(*st.spec.Replicas)
	}
	w.note("operator: %-7s %-14s image %s, replicas %s", st.verb, st.name, st.spec.Image, replicas)
	return true
}

// becomes says how a service fares with the spec that it has now.
func (w *world) becomes(name, phase string, stuck bool, message string) {
	fs := w.live["movies-"+name]
	serves := phase == "Serving" || phase == "Baking"
	fs.Status.Phase, fs.Status.ObservedGeneration, fs.Status.Rollout = phase, fs.Generation, nil
	if serves {
		fs.Status.Stable = &v1alpha1.RevisionStatus{Image: fs.Spec.Image}
	}
	status := map[bool]metav1.ConditionStatus{true: metav1.ConditionTrue, false: metav1.ConditionFalse}
	fs.Status.Conditions = []metav1.Condition{
		{Type: v1alpha1.ConditionReady, Status: status[serves], Reason: phase, Message: message},
		{Type: v1alpha1.ConditionStalled, Status: status[stuck], Message: message},
		{Type: v1alpha1.ConditionBaking, Status: status[phase == "Baking"]},
		{Type: v1alpha1.ConditionAvailable, Status: status[fs.Status.Stable != nil]},
	}
	for i := range fs.Status.Conditions {
		fs.Status.Conditions[i].ObservedGeneration = fs.Generation
	}
	w.note("%s: %s", name, phase)
}

// tries says that a service has a canary with some of the requests.
func (w *world) tries(name string, weight int32) {
	w.becomes(name, "Canary", false, fmt.Sprintf("revision b has %d %% of the requests", weight))
	w.live["movies-"+name].Status.Rollout = &v1alpha1.RolloutStatus{Weight: weight}
}

func (w *world) serve(names ...string) {
	for _, n := range names {
		w.becomes(n, "Serving", false, "2 of 2 pods ready")
	}
}

// tell writes down what a user sees.
func (w *world) tell(p plan) {
	s := w.app.Status
	w.note("  %s, %s services", s.Phase, s.Ready)
	for _, kind := range []string{"Ready", "Reconciling", "Stalled", "Available", "BindingsReady", "SpecValid"} {
		c := find(s.Conditions, kind)
		if c == nil {
			continue
		}
		expected := metav1.ConditionTrue
		if kind == "Reconciling" || kind == "Stalled" {
			expected = metav1.ConditionFalse
		}
		if kind == "Ready" || c.Status != expected {
			w.note("  %s=%s %s: %s", kind, c.Status, c.Reason, c.Message)
		}
	}
	for _, st := range p.steps {
		if st.handOver {
			w.note("  %s: replicas are handed over", st.name)
		}
	}
	for _, line := range s.Services {
		if line.Weight > 0 {
			w.note("  %s: %s, weight %d", line.Name, line.Phase, line.Weight)
		}
	}
}
