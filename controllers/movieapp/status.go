package movieapp

import (
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/internal/conditions"
)

// Phases of a MovieApp that no FleetService has; the others are taken over from the service that is furthest from Serving.
const (
	phasePending  = "Pending"
	phaseStarting = "Starting"
	phaseUpdating = "Updating"
	phaseServing  = "Serving"
	phaseStalled  = "Stalled"
	phaseDeleting = "Deleting"
)

// statusOf is the status that follows from a plan. Conditions keep their transition times from the status before.
func statusOf(o observation, p plan, now time.Time) v1alpha1.MovieAppStatus {
	status := *o.app.Status.DeepCopy()
	status.ObservedGeneration = o.app.Generation
	set := func(c metav1.Condition) { conditions.Set(&status.Conditions, o.app.Generation, now, c) }
	set(specValid(o, p))
	set(bindingsReady(o, p))
	if o.certified != nil {
		set(o.certified.condition)
	}
	if o.invalid != "" {
		// What the services are cannot be told from a spec that says nothing; they go on as they are.
		set(condition(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonInvalidSpec, o.invalid))
		set(condition(v1alpha1.ConditionReconciling, metav1.ConditionFalse, v1alpha1.ReasonInvalidSpec, o.invalid))
		set(condition(v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonInvalidSpec, o.invalid))
		status.Phase = phaseStalled
		return status
	}
	outcome := ready(p)
	set(outcome)
	set(reconciling(p, outcome))
	set(stalled(p, outcome))
	set(available(p))
	status.Phase = phase(p)
	status.Services = summaries(p)
	status.Ready = fmt.Sprintf("%d/%d", settled(p), len(o.services))
	return status
}

func condition(kind string, status metav1.ConditionStatus, reason, message string) metav1.Condition {
	return metav1.Condition{Type: kind, Status: status, Reason: reason, Message: message}
}

// ready is True when every service has its release and is Ready with it. Its message names the service to look at first.
func ready(p plan) metav1.Condition {
	i := worst(p)
	if i < 0 {
		return condition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonServing, fmt.Sprintf("%d of %d services are ready", len(p.steps), len(p.steps)))
	}
	first, status := p.steps[i], metav1.ConditionFalse
	if first.reason == v1alpha1.ReasonCouldNotObserve {
		status = metav1.ConditionUnknown
	}
	message := first.name + ": " + first.message
	if first.reason == v1alpha1.ReasonSharedDatabase {
		message = first.message // it names two services itself
	}
	return condition(v1alpha1.ConditionReady, status, first.reason, message+others(p, i))
}

// others names the services besides the one at index i that are not ready, and those that a stopped release does not reach.
func others(p plan, i int) string {
	var notReady, kept []string
	for j, st := range p.steps {
		switch {
		case j == i || st.settled:
		case st.cutOff:
			kept = append(kept, st.name)
		default:
			notReady = append(notReady, st.name)
		}
	}
	text := ""
	if len(notReady) > 0 {
		text = ". Not ready either: " + strings.Join(notReady, ", ")
	}
	if len(kept) > 0 {
		text += ". The release stops here and does not reach: " + strings.Join(kept, ", ")
	}
	return text
}

// worst is the index of the first step that needs a person, else of the first that is not settled, else -1.
func worst(p plan) int {
	if i := slices.IndexFunc(p.steps, func(st step) bool { return st.stuck }); i >= 0 {
		return i
	}
	return slices.IndexFunc(p.steps, func(st step) bool { return !st.settled })
}

// reconciling is True while services move by themselves and none needs a person: kstatus knows no state that is Stalled and
// Reconciling too. That others move on meanwhile is told by the list of services.
func reconciling(p plan, ready metav1.Condition) metav1.Condition {
	moving := slices.IndexFunc(p.steps, func(st step) bool { return !st.settled })
	if moving < 0 || anyStuck(p) {
		return condition(v1alpha1.ConditionReconciling, metav1.ConditionFalse, ready.Reason, ready.Message)
	}
	st := p.steps[moving]
	return condition(v1alpha1.ConditionReconciling, metav1.ConditionTrue, st.reason, st.name+": "+st.message)
}

func anyStuck(p plan) bool {
	return slices.ContainsFunc(p.steps, func(st step) bool { return st.stuck })
}

func stalled(p plan, ready metav1.Condition) metav1.Condition {
	if anyStuck(p) {
		return condition(v1alpha1.ConditionStalled, metav1.ConditionTrue, ready.Reason, ready.Message)
	}
	return condition(v1alpha1.ConditionStalled, metav1.ConditionFalse, ready.Reason, "nothing needs a person")
}

// available is True while every service has ready pods, whatever their release.
func available(p plan) metav1.Condition {
	var without []string
	for _, st := range p.steps {
		if !st.leaving && (st.live == nil || !isTrue(st.live, v1alpha1.ConditionAvailable)) {
			without = append(without, st.name)
		}
	}
	if len(without) > 0 {
		return condition(v1alpha1.ConditionAvailable, metav1.ConditionFalse, v1alpha1.ReasonUnavailable, "no ready pods: "+strings.Join(without, ", "))
	}
	return condition(v1alpha1.ConditionAvailable, metav1.ConditionTrue, v1alpha1.ReasonServing, "every service has ready pods")
}

func isTrue(fs *v1alpha1.FleetService, conditionType string) bool {
	return slices.ContainsFunc(fs.Status.Conditions, func(c metav1.Condition) bool {
		return c.Type == conditionType && c.Status == metav1.ConditionTrue
	})
}

// specValid is False for what the schema cannot see: here, or when a FleetService cannot be rendered.
func specValid(o observation, p plan) metav1.Condition {
	if o.invalid != "" {
		return condition(v1alpha1.ConditionSpecValid, metav1.ConditionFalse, v1alpha1.ReasonInvalidSpec, o.invalid)
	}
	for _, st := range p.steps {
		if st.reason == v1alpha1.ReasonInvalidSpec {
			return condition(v1alpha1.ConditionSpecValid, metav1.ConditionFalse, v1alpha1.ReasonInvalidSpec, st.name+": "+st.message)
		}
		if st.live == nil {
			continue
		}
		if c := current(st.live, v1alpha1.ConditionSpecValid); c != nil && c.Status == metav1.ConditionFalse {
			return condition(v1alpha1.ConditionSpecValid, metav1.ConditionFalse, c.Reason, st.name+": "+c.Message)
		}
	}
	return condition(v1alpha1.ConditionSpecValid, metav1.ConditionTrue, v1alpha1.ReasonValid, "the spec is accepted")
}

func bindingsReady(o observation, p plan) metav1.Condition {
	if p.shared != "" {
		return condition(v1alpha1.ConditionBindingsReady, metav1.ConditionFalse, v1alpha1.ReasonSharedDatabase, p.shared)
	}
	var missing, unknown []string
	for _, s := range o.services {
		if why, ok := o.unobserved[s.name]; ok {
			unknown = append(unknown, s.name+": "+why)
		} else if r := o.bindings[s.name]; !r.Ready {
			missing = append(missing, s.name+": "+r.Message())
		}
	}
	switch {
	case len(missing) > 0:
		return condition(v1alpha1.ConditionBindingsReady, metav1.ConditionFalse, v1alpha1.ReasonBindingsMissing, strings.Join(missing, "; "))
	case len(unknown) > 0:
		return condition(v1alpha1.ConditionBindingsReady, metav1.ConditionUnknown, v1alpha1.ReasonCouldNotObserve, strings.Join(unknown, "; "))
	case o.invalid != "":
		return condition(v1alpha1.ConditionBindingsReady, metav1.ConditionUnknown, v1alpha1.ReasonInvalidSpec, "not looked at: the spec is invalid")
	}
	return condition(v1alpha1.ConditionBindingsReady, metav1.ConditionTrue, v1alpha1.ReasonBindingsFound, "every bound Secret is complete")
}

// phase is the state in one word.
func phase(p plan) string {
	i := worst(p)
	if i < 0 {
		return phaseServing
	}
	st := p.steps[i]
	served := slices.ContainsFunc(p.steps, func(st step) bool { return st.live != nil && st.live.Status.Stable != nil })
	switch {
	case st.stuck && st.live != nil && st.live.Status.Phase == "TakenBack":
		return "TakenBack"
	case st.stuck:
		return phaseStalled
	case !slices.ContainsFunc(p.steps, func(st step) bool { return st.live != nil || st.verb == create }):
		return phasePending
	case !served:
		return phaseStarting
	case st.live != nil && slices.Contains([]string{"Scaling", "Unavailable", "Canary", "Paused"}, st.live.Status.Phase):
		return st.live.Status.Phase
	case st.live == nil || st.live.Status.Stable == nil:
		return phaseStarting
	}
	return phaseUpdating
}

func summaries(p plan) []v1alpha1.ServiceSummary {
	out := make([]v1alpha1.ServiceSummary, len(p.steps))
	for i, st := range p.steps {
		out[i] = v1alpha1.ServiceSummary{Name: st.name, Phase: phasePending}
		if !st.settled {
			out[i].Message = st.message
		}
		if st.live == nil {
			continue
		}
		out[i].Ready = st.live.Status.Ready
		if st.live.Status.Phase != "" {
			out[i].Phase = st.live.Status.Phase
		}
		if r := st.live.Status.Rollout; r != nil {
			out[i].Weight = r.Weight
		}
		if st.live.Status.Stable != nil {
			out[i].Image = st.live.Status.Stable.Image
		}
	}
	return out
}

func settled(p plan) int {
	n := 0
	for _, st := range p.steps {
		if st.settled {
			n++
		}
	}
	return n
}
