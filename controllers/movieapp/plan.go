package movieapp

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/internal/bindings"
	"movieexample.com/fleet/controllers/internal/replicas"
)

// observation is everything that the plan looks at.
type observation struct {
	app *v1alpha1.MovieApp
	// services are those of the spec, in dependency order; none when the spec is invalid.
	services []service
	// invalid is what is wrong with the spec; empty when nothing is.
	invalid string
	// live are our FleetServices by name.
	live map[string]*v1alpha1.FleetService
	// foreign are the names that belong to FleetServices of somebody else.
	foreign map[string]bool
	// bindings are reports by service name; a service that is not in it has none that could be read.
	bindings map[string]bindings.Report
	// unobserved says why bindings could not be read, by service name.
	unobserved map[string]string
	// certified is what is known of certificates; nil for an application without TLS.
	certified *certified
}

// verb says what is done with one FleetService.
type verb string

const (
	// create makes a FleetService that does not exist.
	create verb = "create"
	// keep applies what a FleetService has been told before, with the present replicas and policies.
	keep verb = "keep"
	// advance gives a FleetService its new release.
	advance verb = "release"
	// remove deletes a FleetService that the spec does not name any more.
	remove verb = "remove"
	// wait does nothing with a FleetService.
	wait verb = "wait"
)

// step is what is done with one service, and its state in words.
type step struct {
	verb verb
	// name is the service, fleetService its FleetService.
	name, fleetService string
	// spec and release are what is applied; unset for wait and remove.
	spec    v1alpha1.FleetServiceSpec
	release string
	// live is the FleetService as observed; nil when there is none.
	live *v1alpha1.FleetService
	// handOver is true when replicas were ours and are left out now: their owner changes before they are left out.
	handOver bool
	// observed is true when the FleetService itself says how it is: it has been told all that it is to be.
	observed bool
	// settled is true when the service has its release and is Ready with it.
	settled bool
	// reason and message say why it is not settled.
	reason, message string
	// stuck is true when a person must change something.
	stuck bool
	// cutOff is true when it waits for a release that does not come before a person changes something.
	cutOff bool
	// leaving is true for a FleetService that the spec does not name any more.
	leaving bool
}

// plan is what to do next for an application, a step for each service in dependency order, removals last.
type plan struct {
	steps []step
	// shared says which services are bound to one database; empty when none are.
	shared string
}

// decide is a pure function of what was observed.
func decide(o observation) plan {
	p := plan{shared: shared(o)}
	if o.invalid != "" {
		return p
	}
	unsettled := map[string]step{}
	for _, s := range o.services {
		st := o.step(s, p.shared, unsettled)
		if !st.settled {
			unsettled[s.name] = st
		}
		p.steps = append(p.steps, st)
	}
	p.steps = append(p.steps, o.removals(p.steps)...)
	return p
}

// step decides about one service. Unsettled holds the steps of those services before it that are not settled.
func (o *observation) step(s service, shared string, unsettled map[string]step) step {
	live := o.live[s.fleetService]
	st := step{name: s.name, fleetService: s.fleetService, live: live, spec: s.spec, release: release(s.spec)}
	if o.foreign[s.fleetService] {
		st.verb, st.stuck, st.reason = wait, true, v1alpha1.ReasonNameTaken
		st.message = fmt.Sprintf("FleetService %s exists and is not owned by this MovieApp: delete it, or name the service differently", s.fleetService)
		return st
	}
	if live == nil {
		st.verb, st.reason, st.message = create, v1alpha1.ReasonStarting, "is created"
		st.blocked(o.obstacle(s, shared))
		return st
	}
	if live.DeletionTimestamp != nil {
		st.verb, st.reason, st.message = wait, v1alpha1.ReasonDeleting, "was deleted by hand; it is created anew when it is gone"
		return st
	}
	st.handOver = s.spec.Replicas == nil && live.Spec.Replicas != nil && replicas.AppliedBy(live, fieldManager)
	before := live.Annotations[v1alpha1.AnnotationReleased]
	if before == st.release {
		st.verb = keep
		st.observe()
		return st
	}
	st.verb, st.reason, st.message = advance, v1alpha1.ReasonServiceNotReady, "gets its new release"
	reason, message := o.obstacle(s, shared)
	if reason == "" {
		reason, message, st.cutOff = dependency(s, unsettled)
	}
	if reason == "" {
		return st
	}
	st.blocked(reason, message)
	if spec, known := held(before, s.spec); known {
		st.verb, st.spec, st.release = keep, spec, before
	}
	return st
}

// blocked makes a step wait for something.
func (st *step) blocked(reason, message string) {
	if reason == "" {
		return
	}
	st.verb, st.reason, st.message = wait, reason, message
	st.stuck = slices.Contains([]string{v1alpha1.ReasonSharedDatabase, v1alpha1.ReasonNameTaken, v1alpha1.ReasonCertManagerMissing}, reason)
}

// changed notes that the FleetService has a newer spec than the one observed, of which it has said nothing yet.
func (st *step) changed(generation int64) {
	if st.live == nil || st.live.Generation >= generation {
		return
	}
	st.live = st.live.DeepCopy()
	st.live.Generation = generation
	if st.observed {
		st.observe()
	}
}

// observe takes over what the FleetService says of itself.
func (st *step) observe() {
	st.observed, st.settled, st.stuck = true, false, false
	c := current(st.live, v1alpha1.ConditionReady)
	if c == nil {
		st.reason, st.message = v1alpha1.ReasonServiceNotReady, "its new spec is not observed yet"
		return
	}
	st.settled = c.Status == metav1.ConditionTrue
	st.message = c.Message
	st.reason = v1alpha1.ReasonServiceNotReady
	if c.Reason == v1alpha1.ReasonPaused || c.Reason == v1alpha1.ReasonInconclusive {
		st.reason = c.Reason // it goes on by a person's word only
	}
	if s := current(st.live, v1alpha1.ConditionStalled); s != nil && s.Status == metav1.ConditionTrue {
		st.stuck, st.reason = true, v1alpha1.ReasonServiceStalled
	}
}

// current is a condition that speaks of the present spec; nil when there is none.
func current(fs *v1alpha1.FleetService, conditionType string) *metav1.Condition {
	for i := range fs.Status.Conditions {
		if c := &fs.Status.Conditions[i]; c.Type == conditionType && c.ObservedGeneration == fs.Generation {
			return c
		}
	}
	return nil
}

// obstacle is why a service may not be created or changed, whatever the others do.
func (o *observation) obstacle(s service, shared string) (reason, message string) {
	if shared != "" {
		return v1alpha1.ReasonSharedDatabase, shared
	}
	if why, ok := o.unobserved[s.name]; ok {
		return v1alpha1.ReasonCouldNotObserve, "waits: " + why
	}
	if o.certified != nil && o.certified.condition.Status == metav1.ConditionFalse {
		return o.certified.condition.Reason, o.certified.condition.Message
	}
	if r := o.bindings[s.name]; !r.Ready {
		return v1alpha1.ReasonBindingsMissing, r.Message()
	}
	return "", ""
}

// dependency names the services that must have their release before s gets its own. CutOff tells that one of them waits
// for a person.
func dependency(s service, unsettled map[string]step) (reason, message string, cutOff bool) {
	var waiting []string
	for _, d := range s.dependsOn {
		if st, ok := unsettled[d]; ok {
			waiting = append(waiting, fmt.Sprintf("%s (%s)", d, st.message))
			cutOff = cutOff || st.stuck || st.cutOff
		}
	}
	if len(waiting) == 0 {
		return "", "", false
	}
	return v1alpha1.ReasonWaitingForDependency, "keeps its release until these are Ready with the new one: " + strings.Join(waiting, ", "), cutOff
}

// removals are the steps for FleetServices that the spec does not name any more. They wait until the services that
// stay are settled and have baked, since one of them, or the revision that it may return to, may still call what goes.
func (o *observation) removals(steps []step) []step {
	var out []step
	var waiting []string
	wanted := map[string]bool{}
	for _, st := range steps {
		wanted[st.fleetService] = true
		if st.live != nil && (!st.settled || isTrue(st.live, v1alpha1.ConditionBaking)) {
			waiting = append(waiting, st.name)
		}
	}
	for name, fs := range o.live {
		if wanted[name] {
			continue
		}
		st := step{verb: remove, name: component(o.app, name), fleetService: name, live: fs, leaving: true,
			reason: v1alpha1.ReasonDeleting, message: "is removed"}
		if len(waiting) > 0 && fs.DeletionTimestamp == nil {
			st.verb, st.reason = wait, v1alpha1.ReasonWaitingForDependency
			st.message = "is removed when no service can call it any more; waits for " + strings.Join(waiting, ", ")
		}
		out = append(out, st)
	}
	slices.SortFunc(out, func(a, b step) int { return strings.Compare(a.name, b.name) })
	return out
}

// component is the service's name that belongs to the name of a FleetService.
func component(app *v1alpha1.MovieApp, fleetService string) string {
	return strings.TrimPrefix(fleetService, app.Name+"-")
}

// shared names the first two services that are bound to one database without both permitting it.
func shared(o observation) string {
	for i, a := range o.services {
		for _, b := range o.services[:i] {
			if where := o.sameDatabase(a, b); where != "" {
				return fmt.Sprintf("%s and %s are bound to one database (%s): the migrations of one would change the tables of the other. "+
					"Give each its own, or set bindings.mysql.allowShared: true in both", b.name, a.name, where)
			}
		}
	}
	return ""
}

func (o *observation) sameDatabase(a, b service) string {
	if a.spec.Bindings == nil || b.spec.Bindings == nil {
		return ""
	}
	am, bm := a.spec.Bindings.MySQL, b.spec.Bindings.MySQL
	if am == nil || bm == nil || (am.AllowShared && bm.AllowShared) {
		return ""
	}
	if am.SecretRef == bm.SecretRef {
		return "Secret " + am.SecretRef.Name
	}
	ad, bd := o.bindings[a.name].MySQL, o.bindings[b.name].MySQL
	if ad == nil || bd == nil || *ad != *bd {
		return ""
	}
	return fmt.Sprintf("%s at %s:%d, named by the Secrets %s and %s", ad.Database, ad.Host, ad.Port, bm.SecretRef.Name, am.SecretRef.Name)
}
