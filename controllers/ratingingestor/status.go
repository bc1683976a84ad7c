package ratingingestor

import (
	"context"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/internal/conditions"
)

const phasePending = "Pending"

// report writes status when what differs from what is stored is due. It is true when somebody else wrote first.
func (r *Reconciler) report(ctx context.Context, o observation, p plan) (again bool, err error) {
	before := o.ri.Status
	status := statusOf(o, p)
	r.measure(o, p, status)
	if o.kafka.pace.due(before, status, o.now, o.looked) {
		o.ri.Status = status
		if err := r.client.Status().Update(ctx, o.ri); err != nil {
			if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
				return true, nil
			}
			return false, fmt.Errorf("write status: %w", err)
		}
		o.kafka.pace.written = o.now
	}
	r.announceFindings(o, p)
	return false, nil
}

// statusOf is the status that follows. Conditions keep their transition times from the status before.
func statusOf(o observation, p plan) v1alpha1.RatingIngestorStatus {
	status := *o.ri.Status.DeepCopy()
	status.ObservedGeneration, status.Phase = o.ri.Generation, phasePending
	set := func(c metav1.Condition) { conditions.Set(&status.Conditions, o.ri.Generation, o.now, c) }
	for _, c := range append([]metav1.Condition{p.service, p.bindings, p.kafka}, summary(o, p)...) {
		set(c)
	}
	if live := o.live; live != nil {
		status.Ready, status.Replicas, status.Selector = live.Status.Ready, live.Status.Replicas, live.Status.Selector
		if live.Status.Phase != "" {
			status.Phase = live.Status.Phase
		}
		if live.Status.Stable != nil {
			status.Image = live.Status.Stable.Image
		}
	}
	status.WantedReplicas = p.wanted
	if o.kafka.err == "" && !o.kafka.at.IsZero() {
		numbers(&status, o, p)
	}
	return status
}

// numbers are what Kafka shows. While it does not answer, those seen last stay.
func numbers(status *v1alpha1.RatingIngestorStatus, o observation, p plan) {
	report := o.kafka.report
	status.Partitions, status.Lag = int32(len(report.Partitions)), p.rates.Lag
	status.ProducedPerSecond, status.ConsumedPerSecond = rate(p.rates.Produced), rate(p.rates.Consumed)
	status.PerConsumer = ""
	if p.rates.PerConsumer > 0 {
		status.PerConsumer = rate(p.rates.PerConsumer)
	}
	status.StuckPartitions, status.Members = p.rates.Stuck, nil
	if last := p.rates.LastCommit; !last.IsZero() {
		status.LastCommit = ptr.To(metav1.NewTime(last.Truncate(1e9)))
	}
	byName := map[string]v1alpha1.IngestorMember{}
	for _, m := range report.Members {
		known := byName[m.Client]
		byName[m.Client] = v1alpha1.IngestorMember{Pod: m.Client, Revision: o.pods[m.Client], Partitions: append(known.Partitions, m.Partitions...)}
	}
	for _, m := range byName {
		status.Members = append(status.Members, m)
	}
	slices.SortFunc(status.Members, func(a, b v1alpha1.IngestorMember) int { return strings.Compare(a.Pod, b.Pod) })
}

// rate is a number of records a second for people.
func rate(v float64) string {
	if v >= 10 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.2g", v)
}

// summary is Ready, Reconciling, Stalled and Available: the FleetService's, unless something keeps the ingestor.
func summary(o observation, p plan) []metav1.Condition {
	ready, reconciling, stalled := of(o, p, v1alpha1.ConditionReady), of(o, p, v1alpha1.ConditionReconciling), of(o, p, v1alpha1.ConditionStalled)
	if c := p.obstacle; c.Type != "" {
		person := c.Reason == v1alpha1.ReasonKafkaProblem || c.Reason == v1alpha1.ReasonNameTaken || c.Reason == v1alpha1.ReasonInvalidSpec || c.Reason == v1alpha1.ReasonSharedDatabase
		ready = condition(v1alpha1.ConditionReady, metav1.ConditionFalse, c.Reason, c.Message)
		if c.Status == metav1.ConditionUnknown {
			ready.Status = metav1.ConditionUnknown
		}
		reconciling = condition(v1alpha1.ConditionReconciling, status(!person), c.Reason, c.Message)
		stalled = condition(v1alpha1.ConditionStalled, status(person), c.Reason, c.Message)
	}
	return []metav1.Condition{ready, reconciling, stalled, of(o, p, v1alpha1.ConditionAvailable)}
}

func status(is bool) metav1.ConditionStatus {
	if is {
		return metav1.ConditionTrue
	}
	return metav1.ConditionFalse
}

// of is a condition of the FleetService, if it speaks of the spec that it has now, the plan's included.
func of(o observation, p plan, kind string) metav1.Condition {
	unheard := condition(kind, status(kind == v1alpha1.ConditionReconciling), v1alpha1.ReasonStarting, "its FleetService is about to start")
	if o.live == nil {
		return unheard
	}
	spec := max(o.live.Generation, p.generation)
	for _, c := range o.live.Status.Conditions {
		if c.Type == kind && (c.ObservedGeneration == spec || kind == v1alpha1.ConditionAvailable) {
			return condition(kind, c.Status, c.Reason, c.Message)
		}
	}
	if o.live.Status.Stable != nil {
		unheard.Message = "its FleetService has not looked at its new spec yet"
	}
	return unheard
}
