package ratingingestor

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"

	"movieexample.com/fleet/api/v1alpha1"
)

const (
	// adminPort is where an ingestor shows its metrics and its health.
	adminPort = 8095
	// component is what an ingestor is within its application.
	component = "ingestor"
	// annotationOf names the service that an ingestor's FleetService counts as one with.
	annotationOf = "fleet.movieexample.com/ingestor-of"
)

func ingestorOf(fs *v1alpha1.FleetService) string { return fs.Annotations[annotationOf] }

// child is the FleetService of an ingestor: consumers of an image. Replicas are left out where they are not ours.
func child(o observation, image string, partitions int32, replicas *int32) (*v1alpha1.FleetService, error) {
	ri := o.ri
	config, err := configOf(o)
	if err != nil {
		return nil, err
	}
	return &v1alpha1.FleetService{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: ri.Namespace, Name: ri.Name,
			Labels: map[string]string{
				v1alpha1.LabelManagedBy: v1alpha1.ManagedByValue, v1alpha1.LabelApp: ri.Spec.ServiceRef.App,
				v1alpha1.LabelService: ri.Name, v1alpha1.LabelComponent: component,
			},
			Annotations:     map[string]string{annotationOf: serviceName(ri)},
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(ri, v1alpha1.GroupVersion.WithKind("RatingIngestor"))},
		},
		Spec: v1alpha1.FleetServiceSpec{
			Image: image,
			ServiceTemplate: v1alpha1.ServiceTemplate{
				Replicas: replicas, Args: []string{"ingest"}, Env: ri.Spec.Env, Config: config, Storage: v1alpha1.StorageMySQL,
				Resources: resourcesOf(ri), Ports: &v1alpha1.Ports{Admin: adminPort}, Bindings: o.bound,
				Scheduling: ri.Spec.Scheduling, DrainSeconds: ri.Spec.DrainSeconds, PodOverrides: ri.Spec.PodOverrides,
				Ownership: ownershipOf(o), Rollout: rolloutOf(ri), Objectives: ri.Spec.Objectives, Signals: signals(),
			},
			Consumer: &v1alpha1.Consumer{
				Topic: ri.Spec.Kafka.Topic, Group: ri.Spec.Kafka.Group, Partitions: partitions, Shadow: shadowed(ri, partitions), Rewind: rewinds(ri),
			},
		},
	}, nil
}

// resourcesOf gives an ingestor the memory that it was seen to use when it reads all of twelve partitions as fast as it can,
// and as much again for a topic of large events.
func resourcesOf(ri *v1alpha1.RatingIngestor) *v1alpha1.Resources {
	r := ri.Spec.Resources.DeepCopy()
	if r == nil {
		r = &v1alpha1.Resources{}
	}
	if len(r.Requests) == 0 {
		r.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("50m"), corev1.ResourceMemory: resource.MustParse("128Mi")}
	}
	if len(r.Limits) == 0 {
		r.Limits = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("512Mi")}
	}
	return r
}

// signals say that events are what is counted.
func signals() *v1alpha1.SignalPolicy {
	return &v1alpha1.SignalPolicy{Metrics: &v1alpha1.MetricsMeaning{Requests: []v1alpha1.RequestCounter{
		{Counter: "ingest_events_total", CodeLabel: "outcome", Errors: []string{"failed", "dead_lettered"}},
	}}}
}

func ownershipOf(o observation) *v1alpha1.Ownership {
	if o.ri.Spec.Ownership == nil && o.service != nil {
		return o.service.Spec.Ownership
	}
	return o.ri.Spec.Ownership
}

// rolloutOf is the ingestor's policy. paused holds its rollouts too.
func rolloutOf(ri *v1alpha1.RatingIngestor) *v1alpha1.RolloutPolicy {
	var policy *v1alpha1.RolloutPolicy
	if own := ri.Spec.Rollout.DeepCopy(); own != nil {
		policy = &own.RolloutPolicy
	}
	if ri.Spec.Paused {
		policy = ptr.To(ptr.Deref(policy, v1alpha1.RolloutPolicy{}))
		policy.Paused = ptr.To(true)
	}
	return policy
}

// shadowed is true where canaries read along first. With one partition nothing else is there to compare them with.
func shadowed(ri *v1alpha1.RatingIngestor, partitions int32) bool {
	if r := ri.Spec.Rollout; r != nil && r.Shadow != nil {
		return *r.Shadow
	}
	return partitions == 1
}

func rewinds(ri *v1alpha1.RatingIngestor) bool {
	return ri.Spec.Rollout != nil && ri.Spec.Rollout.Rewind
}

// shared are the keys of a service's config that say what may be rated: its ingestor must not say otherwise.
func sharedKeys() []string { return []string{"recordTypes", "tombstones", "telemetry"} }

// configOf is the ingestor's own config over what its service says, with what it reads.
func configOf(o observation) (*runtime.RawExtension, error) {
	config := map[string]any{}
	if o.service != nil {
		of, err := object(o.service.Spec.Config)
		if err != nil {
			return nil, fmt.Errorf("the config of %s must be an object: %w", o.service.Name, err)
		}
		for _, key := range sharedKeys() {
			if v, set := of[key]; set {
				config[key] = v
			}
		}
	}
	own, err := object(o.ri.Spec.Config)
	if err != nil {
		return nil, fmt.Errorf("spec.config must be an object with keys and values: %w", err)
	}
	for key, v := range own {
		config[key] = v
	}
	ingest, isObject := config["ingest"].(map[string]any)
	if _, set := config["ingest"]; set && !isObject {
		return nil, errors.New("spec.config.ingest must be an object with keys and values")
	}
	if config["ingest"], err = reading(o.ri.Spec.Kafka, ingest); err != nil {
		return nil, err
	}
	raw, err := json.Marshal(config)
	if err != nil {
		return nil, fmt.Errorf("encode the config: %w", err)
	}
	return &runtime.RawExtension{Raw: raw}, nil
}

// reading is what is read, beside what the user wrote of how.
func reading(from v1alpha1.IngestorKafka, own map[string]any) (map[string]any, error) {
	all := map[string]any{"topic": from.Topic, "group": from.Group, "deadLetterTopic": from.DeadLetterTopic}
	if _, set := own["shadow"]; set {
		return nil, errors.New("spec.config.ingest.shadow is said by the operator, to the canaries that are to read along: set spec.rollout.shadow instead")
	}
	for key, v := range own {
		if _, ours := all[key]; ours {
			return nil, fmt.Errorf("spec.config.ingest.%s is written by the operator: set spec.kafka.%s instead", key, key)
		}
		all[key] = v
	}
	return all, nil
}

// object reads a free-form field. Numbers keep their digits.
func object(raw *runtime.RawExtension) (map[string]any, error) {
	out := map[string]any{}
	if raw == nil || len(bytes.TrimSpace(raw.Raw)) == 0 {
		return out, nil
	}
	decoder := json.NewDecoder(bytes.NewReader(raw.Raw))
	decoder.UseNumber()
	err := decoder.Decode(&out)
	return out, err
}
