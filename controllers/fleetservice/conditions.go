package fleetservice

import (
	"errors"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/fleetservice/plan"
	"movieexample.com/fleet/controllers/fleetservice/signals/count"
	"movieexample.com/fleet/controllers/internal/conditions"
)

// setConditions translates the outlook. Ready, Reconciling and Stalled exclude each other.
func (r *Reconciler) setConditions(s *scope) {
	st, view := &s.fs.Status, r.view(s)
	st.ObservedGeneration, st.Phase = s.fs.Generation, view.Phase
	set := func(kind string, is bool, reason, message string) {
		status := metav1.ConditionFalse
		if is {
			status = metav1.ConditionTrue
		}
		conditions.Set(&st.Conditions, s.fs.Generation, r.clock.Now(), metav1.Condition{Type: kind, Status: status, Reason: reason, Message: message})
	}
	set(v1alpha1.ConditionReady, view.Ready, view.Reason, view.Message)
	set(v1alpha1.ConditionReconciling, !view.Ready && !view.Stalled, view.Reason, view.Message)
	set(v1alpha1.ConditionStalled, view.Stalled, view.Reason, view.Message)
	set(v1alpha1.ConditionProgressing, view.Progressing, view.Reason, view.Message)
	set(v1alpha1.ConditionBaking, view.Baking, view.Reason, view.Message)
	setAvailable(s, set, view)
	setChecks(s, set)
	if rejected := st.Rejected; rejected != nil && view.Reason == v1alpha1.ReasonTakenBack {
		set(v1alpha1.ConditionRolledBack, true, rejected.Reason, view.Message)
	} else {
		conditions.Remove(&st.Conditions, v1alpha1.ConditionRolledBack)
	}
}

type setter func(kind string, is bool, reason, message string)

func setAvailable(s *scope, set setter, view plan.Outlook) {
	if view.Available {
		set(v1alpha1.ConditionAvailable, true, v1alpha1.ReasonServing, "revision "+s.observation.State.Stable.Hash+" serves")
		return
	}
	set(v1alpha1.ConditionAvailable, false, v1alpha1.ReasonUnavailable, "no revision serves yet, or its pods are not ready: "+view.Message)
}

func setChecks(s *scope, set setter) {
	if s.invalid != "" {
		set(v1alpha1.ConditionSpecValid, false, v1alpha1.ReasonInvalidSpec, s.invalid)
	} else {
		set(v1alpha1.ConditionSpecValid, true, v1alpha1.ReasonValid, "the spec can be rendered and the API server takes the result")
	}
	if f := s.findings; f != (count.Findings{}) {
		set(v1alpha1.ConditionObjectivesValid, false, f.Reason, f.Unmeasurable)
	} else if plan.Watching(s.observation) {
		set(v1alpha1.ConditionObjectivesValid, true, v1alpha1.ReasonMeasurable, "every objective can be measured")
	}
	if why := s.observation.LedgerDamaged; why != "" {
		set(v1alpha1.ConditionLedgerReadable, false, v1alpha1.ReasonLedgerDamaged, why)
	} else {
		conditions.Remove(&s.fs.Status.Conditions, v1alpha1.ConditionLedgerReadable)
	}
	if s.report.Ready {
		set(v1alpha1.ConditionBindingsReady, true, v1alpha1.ReasonBindingsFound, "every bound Secret is there with all its keys")
	} else {
		set(v1alpha1.ConditionBindingsReady, false, v1alpha1.ReasonBindingsMissing, s.report.Message())
	}
}

// view is the planner's outlook, unless something outside its sight matters more.
func (r *Reconciler) view(s *scope) plan.Outlook {
	view := s.plan.Outlook
	switch {
	case s.invalid != "":
		view.Phase, view.Reason, view.Message = "Stalled", v1alpha1.ReasonInvalidSpec, s.invalid
		view.Ready, view.Stalled = false, true
	case explained(s.actErr):
		view.Phase, view.Reason, view.Message = "Stalled", v1alpha1.ReasonNameTaken, s.actErr.Error()
		if errors.As(s.actErr, &s.refusal) {
			view.Reason = v1alpha1.ReasonTrafficRefused
		}
		view.Ready, view.Stalled = false, true
	case s.refusal != nil:
		view.Phase, view.Reason, view.Message = "Stalled", v1alpha1.ReasonTrafficRefused, s.refusal.Error()
		view.Ready, view.Stalled = false, true
	case !s.report.Ready && !view.Stalled:
		view.Reason, view.Message = v1alpha1.ReasonBindingsMissing, s.report.Message()
		view.Ready = false
	case s.actErr != nil && s.observation.Traffic.Unreachable != "" && view.Reason == v1alpha1.ReasonTakenBack: // which says so
	case s.actErr != nil && s.observation.Traffic.Unreachable != "" && !view.Ready:
		view.Reason = v1alpha1.ReasonDiscoveryUnavailable
		view.Message = "nothing moves until " + s.observation.Traffic.Unreachable
	case s.actErr != nil:
		view.Message = fmt.Sprintf("%s (trying again: %v)", view.Message, s.actErr)
	}
	return view
}
