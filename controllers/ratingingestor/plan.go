package ratingingestor

import (
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/internal/replicas"
	"movieexample.com/fleet/controllers/ratingingestor/scaling"
)

// plan is what to do, and what keeps the ingestor from being as it is to be.
type plan struct {
	// child is the FleetService as it is to be; nil where it is left as it is.
	child *v1alpha1.FleetService
	// generation is the child's after it was applied; 0 before.
	generation int64
	// handOver is true when replicas were ours and are left out now.
	handOver bool
	// rates are what was measured, wanted how many pods they need; 0 where nobody knows or asks.
	rates  scaling.Rates
	wanted int32
	// service, bindings and kafka are the conditions of that name.
	service, bindings, kafka metav1.Condition
	// obstacle says what keeps it; its Type is empty where nothing does.
	obstacle metav1.Condition
	// invalid says why the spec cannot be rendered; empty when it can.
	invalid string
}

// decide says what to do; it changes nothing. Where something cannot be seen, what runs stays as it is.
func decide(o observation) plan {
	p := plan{service: serviceFound(o), bindings: bindingsReady(o), kafka: kafkaReady(o), rates: o.kafka.meter.Rates()}
	for _, c := range []metav1.Condition{p.service, p.bindings, p.kafka} {
		if c.Status != metav1.ConditionTrue {
			p.obstacle = c
			break
		}
	}
	image, partitions := imageOf(o), partitionsOf(o)
	switch {
	case o.foreign:
		p.obstacle = condition(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonNameTaken,
			fmt.Sprintf("FleetService %s exists and is not owned by this RatingIngestor: delete it, or name the ingestor differently", o.ri.Name))
		return p
	case image == "" || partitions == 0 || o.bindings.MySQL == nil || o.shared != "":
		return p
	case o.live == nil && p.obstacle.Type != "":
		return p
	}
	var n *int32
	n, p.wanted = replicasOf(o, partitions, p.rates)
	c, err := child(o, image, partitions, n)
	if err != nil {
		p.invalid = err.Error()
		p.obstacle = condition(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonInvalidSpec, p.invalid)
		return p
	}
	p.child = c
	p.handOver = n == nil && o.live != nil && o.live.Spec.Replicas != nil && replicas.AppliedBy(o.live, fieldManager)
	return p
}

// imageOf is the image to read with: its own, or the one that the service has promoted.
func imageOf(o observation) string {
	switch {
	case o.ri.Spec.Image != "":
		return o.ri.Spec.Image
	case o.service != nil && o.service.Status.Stable != nil:
		return o.service.Status.Stable.Image
	case o.live != nil:
		return o.live.Spec.Image
	}
	return ""
}

// partitionsOf is how many partitions the topic has, as seen last.
func partitionsOf(o observation) int32 {
	if n := len(o.kafka.report.Partitions); n > 0 {
		return int32(min(n, 10000))
	}
	if o.live != nil && o.live.Spec.Consumer != nil {
		return o.live.Spec.Consumer.Partitions
	}
	return 0
}

// replicasOf is how many pods there are to be, nil where somebody else says so on the FleetService, and how many are needed.
func replicasOf(o observation, partitions int32, rates scaling.Rates) (replicas *int32, needed int32) {
	if o.ri.Spec.Scaling.Mode == v1alpha1.ScalingExternal {
		return o.ri.Spec.Replicas, 0
	}
	current := podsOf(o)
	needed = scaling.Need(policyOf(o, partitions), rates, current)
	if o.kafka.advised == 0 {
		return ptr.To(current), needed
	}
	return ptr.To(o.kafka.advised), needed
}

// podsOf is how many pods there are to be now.
func podsOf(o observation) int32 {
	least := o.ri.Spec.Scaling.MinReplicas
	if o.live == nil {
		return least
	}
	return ptr.Deref(o.live.Spec.Replicas, least)
}

func policyOf(o observation, partitions int32) scaling.Policy {
	s := o.ri.Spec.Scaling
	return scaling.Policy{Min: s.MinReplicas, Max: s.MaxReplicas, Partitions: partitions, Drain: time.Duration(s.DrainSeconds) * time.Second}
}

func serviceFound(o observation) metav1.Condition {
	name := serviceName(o.ri)
	switch {
	case o.service == nil:
		return condition(v1alpha1.ConditionServiceFound, metav1.ConditionFalse, v1alpha1.ReasonServiceMissing,
			fmt.Sprintf("FleetService %s is not there: create MovieApp %s with the service %s, or correct spec.serviceRef", name, o.ri.Spec.ServiceRef.App, o.ri.Spec.ServiceRef.Service))
	case o.service.Status.Stable == nil:
		return condition(v1alpha1.ConditionServiceFound, metav1.ConditionFalse, v1alpha1.ReasonServiceMissing,
			fmt.Sprintf("%s has promoted no image yet; the ingestor starts when it serves, with its database as it needs it", name))
	}
	return condition(v1alpha1.ConditionServiceFound, metav1.ConditionTrue, v1alpha1.ReasonServicePromoted,
		fmt.Sprintf("%s has promoted %s", name, o.service.Status.Stable.Image))
}

func bindingsReady(o observation) metav1.Condition {
	kind := v1alpha1.ConditionBindingsReady
	switch {
	case o.unobserved != "":
		return condition(kind, metav1.ConditionUnknown, v1alpha1.ReasonCouldNotObserve, o.unobserved)
	case !o.bindings.Ready:
		return condition(kind, metav1.ConditionFalse, v1alpha1.ReasonBindingsMissing, o.bindings.Message())
	case o.shared != "":
		return condition(kind, metav1.ConditionFalse, v1alpha1.ReasonSharedDatabase, o.shared)
	case o.bound.MySQL == nil:
		return condition(kind, metav1.ConditionFalse, v1alpha1.ReasonBindingsMissing,
			fmt.Sprintf("%s has no database: set bindings.mysql.secretRef.name", serviceName(o.ri)))
	}
	return condition(kind, metav1.ConditionTrue, v1alpha1.ReasonBindingsFound, "every bound Secret is there with all its keys")
}

func kafkaReady(o observation) metav1.Condition {
	kind, v := v1alpha1.ConditionKafkaReady, o.kafka
	switch {
	case v.at.IsZero():
		return condition(kind, metav1.ConditionUnknown, v1alpha1.ReasonCouldNotObserve, "not looked at: the binding is not complete")
	case v.err != "":
		return condition(kind, metav1.ConditionUnknown, v1alpha1.ReasonCouldNotObserve, "nothing is changed until Kafka answers again: "+v.err)
	case len(v.report.Problems) > 0:
		return condition(kind, metav1.ConditionFalse, v1alpha1.ReasonKafkaProblem, strings.Join(v.report.Problems, "; "))
	}
	text := fmt.Sprintf("topic %s has %d partitions, and group %s and topic %s may be used", v.asked.source.Topic, len(v.report.Partitions), v.asked.source.Group, v.asked.source.DeadLetterTopic)
	if lost, _ := removed(v.report.Partitions); lost != "" {
		text += "; " + lost
	}
	return condition(kind, metav1.ConditionTrue, v1alpha1.ReasonKafkaUsable, text)
}

func condition(kind string, status metav1.ConditionStatus, reason, message string) metav1.Condition {
	return metav1.Condition{Type: kind, Status: status, Reason: reason, Message: message}
}
