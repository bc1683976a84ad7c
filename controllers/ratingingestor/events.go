package ratingingestor

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/internal/apply"
)

// note is an event: its type, its reason and the action that it tells of.
type note struct{ kind, reason, action string }

func created() note      { return note{corev1.EventTypeNormal, "ServiceCreated", "create"} }
func followed() note     { return note{corev1.EventTypeNormal, "ImageFollowed", "release"} }
func scaledTo() note     { return note{corev1.EventTypeNormal, "Scaled", "scale"} }
func restored() note     { return note{corev1.EventTypeWarning, "HandEditUndone", "restore"} }
func kafkaProblem() note { return note{corev1.EventTypeWarning, "KafkaProblem", "observe"} }
func stuck() note        { return note{corev1.EventTypeWarning, "PartitionsStuck", "observe"} }
func inVain() note       { return note{corev1.EventTypeWarning, "ScalingIneffective", "scale"} }
func lost() note         { return note{corev1.EventTypeWarning, "RecordsLost", "observe"} }
func overdue() note      { return note{corev1.EventTypeWarning, "DeletionOverdue", "delete"} }
func orphaned() note     { return note{corev1.EventTypeNormal, "ServiceOrphaned", "delete"} }

func (r *Reconciler) tell(n note, ri *v1alpha1.RatingIngestor, format string, args ...any) {
	r.events.Eventf(ri, nil, n.kind, n.reason, n.action, format, args...)
}

// announceApplied tells what an apply did to the FleetService, if it did anything.
func (r *Reconciler) announceApplied(o observation, p *plan, result apply.Result) {
	from, to, isScaled := scaled(o, p)
	switch {
	case len(result.Restored) > 0:
		r.tell(restored(), o.ri, "FleetService %s: %s changed %s; it was put back. Edit RatingIngestor %s instead",
			o.ri.Name, orSomebody(result.By), strings.Join(result.Restored, ", "), o.ri.Name)
	case !result.Changed:
	case o.live == nil:
		r.tell(created(), o.ri, "FleetService %s created with image %s", p.child.Name, p.child.Spec.Image)
	case o.live.Spec.Image != p.child.Spec.Image:
		r.tell(followed(), o.ri, "image %s follows %s", p.child.Spec.Image, serviceName(o.ri))
	}
	if isScaled && result.Changed && o.ri.Spec.Scaling.Mode != v1alpha1.ScalingExternal {
		r.tell(scaledTo(), o.ri, "%d → %d pods: %s", from, to, whyScaled(o, p, from))
	}
}

// whyScaled says what the number of pods follows: the bounds, where there were more or fewer than they allow, else the load.
func whyScaled(o observation, p *plan, from int32) string {
	policy := policyOf(o, partitionsOf(o))
	if policy.Bound(from) != from {
		return fmt.Sprintf("scaling allows %d to %d, and there are %d partitions", policy.Min, policy.Max, policy.Partitions)
	}
	return fmt.Sprintf("%s records/s come, %d wait, one consumer takes %s/s", rate(p.rates.Produced), p.rates.Backlog, rate(p.rates.PerConsumer))
}

func orSomebody(who string) string {
	if who == "" {
		return "somebody"
	}
	return who
}

// announceFindings tells of problems, stuck partitions, pods in vain and lost records, once for each change.
func (r *Reconciler) announceFindings(o observation, p plan) {
	problem := ""
	if p.kafka.Status == metav1.ConditionFalse {
		problem = p.kafka.Message
	}
	if problem != "" && problem != o.kafka.toldProblem {
		r.tell(kafkaProblem(), o.ri, "%s", problem)
	}
	standing := ""
	if len(p.rates.Stuck) > 0 {
		standing = fmt.Sprint(p.rates.Stuck)
	}
	if standing != "" && standing != o.kafka.toldStuck {
		r.tell(stuck(), o.ri, "partitions %s have records and have not moved for a minute: see the logs of the pods that have them", standing)
	}
	vain := inVainOf(o, p)
	if vain != "" && o.kafka.toldVain == "" {
		r.tell(inVain(), o.ri, "%s", vain)
	}
	gone, records := removed(o.kafka.report.Partitions)
	if gone != "" && gone != o.kafka.toldLost {
		r.tell(lost(), o.ri, "%d records so far: %s", records, gone)
	}
	o.kafka.toldProblem, o.kafka.toldStuck, o.kafka.toldVain, o.kafka.toldLost = problem, standing, vain, gone
}

// inVainOf says why no pods are added though more are needed, if those that were added last made nothing faster.
func inVainOf(o observation, p plan) string {
	pods := podsOf(o)
	before, took := o.kafka.scaler.Vain(policyOf(o, partitionsOf(o)), p.rates, pods)
	if before == 0 {
		return ""
	}
	return fmt.Sprintf("%d pods take %s records/s, hardly more than %d took (%s/s): none is added, though %s/s come and %d wait. "+
		"The limit is elsewhere: see what the database takes, and whether one partition has most of the records (ingest_lag_records)",
		pods, rate(p.rates.Full), before, rate(took), rate(p.rates.Produced), p.rates.Backlog)
}
