package ratingingestor

import (
	"context"
	"fmt"
	"reflect"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/internal/bindings"
	"movieexample.com/fleet/controllers/internal/kafka"
	"movieexample.com/fleet/controllers/ratingingestor/scaling"
)

// observation is everything that the plan needs.
type observation struct {
	ri  *v1alpha1.RatingIngestor
	now time.Time
	// service is the one that the ingestor belongs to, live is its own FleetService; nil where there is none.
	service, live *v1alpha1.FleetService
	// foreign is true where somebody else's FleetService has the name.
	foreign bool
	// bound are the connections, with the service's database where the ingestor names none.
	bound      *v1alpha1.Bindings
	bindings   bindings.Report
	unobserved string // why the Secrets could not be read; empty when they could
	// shared says which other service uses the database; empty when none does.
	shared string
	kafka  *view
	// looked is true when Kafka was looked at in this reconcile.
	looked bool
	// pods are revisions by the name of the pod.
	pods map[string]string
}

func serviceName(ri *v1alpha1.RatingIngestor) string {
	return ri.Spec.ServiceRef.App + "-" + ri.Spec.ServiceRef.Service
}

// observe looks at everything. The error means that the cache did not answer.
func (r *Reconciler) observe(ctx context.Context, ri *v1alpha1.RatingIngestor) (observation, error) {
	o := observation{ri: ri, now: r.clock.Now(), kafka: r.memory.view(ri.UID)}
	var list v1alpha1.FleetServiceList
	if err := r.client.List(ctx, &list, client.InNamespace(ri.Namespace)); err != nil {
		return o, fmt.Errorf("list FleetServices: %w", err)
	}
	for i := range list.Items {
		fs := &list.Items[i]
		switch {
		case fs.Name == ri.Name && metav1.IsControlledBy(fs, ri):
			o.live = fs
		case fs.Name == ri.Name:
			o.foreign = true
		case fs.Name == serviceName(ri):
			o.service = fs
		}
	}
	o.bound = boundOf(ri, o.service)
	if r.readBindings(ctx, &o); o.unobserved != "" {
		return o, nil
	}
	r.findShared(ctx, &o, list.Items)
	if o.bindings.Kafka == nil {
		r.kafka.Forget(client.ObjectKeyFromObject(ri).String())
	} else {
		r.lookAtKafka(ctx, &o)
	}
	return o, r.findPods(ctx, &o)
}

// readBindings reads the Secrets. That they could not be read is a finding: nothing is known of them then.
func (r *Reconciler) readBindings(ctx context.Context, o *observation) {
	var err error
	if o.bindings, err = r.bindings.Check(ctx, o.ri.Namespace, o.bound); err != nil {
		o.unobserved = err.Error()
	}
}

// boundOf are the ingestor's connections. The database is its service's unless it names one.
func boundOf(ri *v1alpha1.RatingIngestor, service *v1alpha1.FleetService) *v1alpha1.Bindings {
	b := &v1alpha1.Bindings{Kafka: ri.Spec.Bindings.Kafka, MySQL: ri.Spec.Bindings.MySQL}
	if b.MySQL == nil && service != nil && service.Spec.Bindings != nil {
		b.MySQL = service.Spec.Bindings.MySQL
	}
	return b
}

// findShared finds another service on the same database. The ingestor and its service count as one.
func (r *Reconciler) findShared(ctx context.Context, o *observation, services []v1alpha1.FleetService) {
	if o.bindings.MySQL == nil || o.bound.MySQL.AllowShared {
		return
	}
	for i := range services {
		fs := &services[i]
		own := fs.Name == o.ri.Name || fs.Name == serviceName(o.ri) || ingestorOf(fs) == serviceName(o.ri)
		if own || fs.Spec.Bindings == nil || fs.Spec.Bindings.MySQL == nil || fs.Spec.Bindings.MySQL.AllowShared {
			continue
		}
		other, err := r.bindings.Check(ctx, fs.Namespace, &v1alpha1.Bindings{MySQL: fs.Spec.Bindings.MySQL})
		if err == nil && other.MySQL != nil && *other.MySQL == *o.bindings.MySQL {
			o.shared = fmt.Sprintf("the database %s at %s is %s's too: bind the one of %s, or set bindings.mysql.allowShared",
				other.MySQL.Database, other.MySQL.Host, fs.Name, serviceName(o.ri))
			return
		}
	}
}

// lookAtKafka looks at Kafka when it is time, and measures.
func (r *Reconciler) lookAtKafka(ctx context.Context, o *observation) {
	v := o.kafka
	source := kafka.Source{Topic: o.ri.Spec.Kafka.Topic, Group: o.ri.Spec.Kafka.Group, DeadLetterTopic: o.ri.Spec.Kafka.DeadLetterTopic}
	question := asked{generation: o.ri.Generation, source: source, binding: *o.bindings.Kafka}
	if !v.due(o.now, question) {
		return
	}
	report, err := r.kafka.Look(ctx, client.ObjectKeyFromObject(o.ri).String(), *o.bindings.Kafka, source)
	if !reflect.DeepEqual(question, v.asked) {
		v.failures = 0
	}
	v.at, v.asked, v.err = o.now, question, ""
	if err != nil {
		v.err, v.failures = err.Error(), v.failures+1
		return
	}
	v.failures = 0
	if report.TopicID != v.report.TopicID {
		v.meter = scaling.Meter{}
	}
	v.report, o.looked = report, true
	if len(report.Partitions) == 0 {
		return
	}
	consumers := int32(0)
	for _, m := range report.Members {
		if len(m.Partitions) > 0 {
			consumers++
		}
	}
	v.meter.Add(o.now, measured(report.Partitions), consumers)
}

// advise asks the scaler how many pods there are to be, once a look: it remembers what was needed before. Bounds that were
// edited since hold at once. While Kafka does not answer, nobody says; nor while the number is somebody else's or kept: what
// was needed before that says nothing afterwards.
func (o *observation) advise() {
	v, partitions := o.kafka, partitionsOf(*o)
	policy := policyOf(*o, partitions)
	switch {
	case o.ri.Spec.Scaling.Mode == v1alpha1.ScalingExternal || o.ri.Spec.Paused:
		v.advised, v.scaler = 0, scaling.Scaler{}
	case partitions == 0:
	case v.err != "":
		v.advised = 0
	case o.looked || v.advised == 0:
		v.advised = v.scaler.Want(o.now, policy, v.meter.Rates(), podsOf(*o))
	default:
		v.advised = policy.Bound(v.advised)
	}
}

func measured(partitions []kafka.Partition) []scaling.Partition {
	list := make([]scaling.Partition, 0, len(partitions))
	for _, p := range partitions {
		list = append(list, scaling.Partition{Number: p.Number, Start: p.Start, End: p.End, Next: max(0, p.Committed)})
	}
	return list
}

// findPods finds the pods of the ingestor, which are members by their names.
func (r *Reconciler) findPods(ctx context.Context, o *observation) error {
	var pods corev1.PodList
	err := r.client.List(ctx, &pods, client.InNamespace(o.ri.Namespace), client.MatchingLabels{v1alpha1.LabelService: o.ri.Name})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("list pods: %w", err)
	}
	o.pods = make(map[string]string, len(pods.Items))
	for i := range pods.Items {
		o.pods[pods.Items[i].Name] = pods.Items[i].Labels[v1alpha1.LabelRevision]
	}
	return nil
}
