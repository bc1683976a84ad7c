package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// IngestorServiceReference names the service whose events are read.
type IngestorServiceReference struct {
	// app is a MovieApp in the same namespace.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=40
	App string `json:"app"`
	// service is one of its services. Default rating.
	// +optional
	// +kubebuilder:default=rating
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=40
	Service string `json:"service,omitempty"`
}

// IngestorBindings are the connections of an ingestor.
type IngestorBindings struct {
	// kafka is the broker.
	// +required
	Kafka *KafkaBinding `json:"kafka"`
	// mysql is the database. Default: the service's.
	// +optional
	MySQL *MySQLBinding `json:"mysql,omitempty"`
}

// IngestorKafka is what an ingestor reads.
//
// +kubebuilder:validation:XValidation:rule="self.topic == oldSelf.topic && self.group == oldSelf.group",message="topic and group cannot change, since a canary shares the partitions of one group: make another RatingIngestor"
// +kubebuilder:validation:XValidation:rule="self.topic != self.deadLetterTopic",message="deadLetterTopic must not be the topic itself: what cannot be taken would come again for ever"
type IngestorKafka struct {
	// topic holds the events. Default ratings.
	// +optional
	// +kubebuilder:default=ratings
	// +kubebuilder:validation:MaxLength=249
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-zA-Z0-9._-]+$') && self != '.' && self != '..'",message="must be the name of a Kafka topic: letters, digits, '.', '_' and '-', and not '.' or '..' alone"
	Topic string `json:"topic,omitempty"`
	// group is the consumer group. Default rating.
	// +optional
	// +kubebuilder:default=rating
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=249
	Group string `json:"group,omitempty"`
	// deadLetterTopic takes events that can never be taken in. Default ratings.dlq.
	// +optional
	// +kubebuilder:default=ratings.dlq
	// +kubebuilder:validation:MaxLength=249
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-zA-Z0-9._-]+$') && self != '.' && self != '..'",message="must be the name of a Kafka topic: letters, digits, '.', '_' and '-', and not '.' or '..' alone"
	DeadLetterTopic string `json:"deadLetterTopic,omitempty"`
}

// ScalingMode says who chooses the number of pods.
// +kubebuilder:validation:Enum=Lag;External
type ScalingMode string

// The scaling modes.
const (
	// ScalingLag: the operator, by what is produced, what is waiting and what one consumer was seen to take.
	ScalingLag ScalingMode = "Lag"
	// ScalingExternal: whoever owns /scale, such as a HorizontalPodAutoscaler or KEDA.
	ScalingExternal ScalingMode = "External"
)

// IngestorScaling says how many pods read.
//
// +kubebuilder:validation:XValidation:rule="self.minReplicas <= self.maxReplicas",message="minReplicas must be at most maxReplicas"
type IngestorScaling struct {
	// mode is Lag or External. Default Lag.
	// +optional
	// +kubebuilder:default=Lag
	Mode ScalingMode `json:"mode,omitempty"`
	// minReplicas is the least number of pods in mode Lag. Default 1.
	// +optional
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	MinReplicas int32 `json:"minReplicas,omitempty"`
	// maxReplicas is the greatest number of pods in mode Lag; there are never more than partitions. Default 12.
	// +optional
	// +kubebuilder:default=12
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	MaxReplicas int32 `json:"maxReplicas,omitempty"`
	// drainSeconds is in how many seconds a backlog is to be worked off, in mode Lag. Default 60.
	// +optional
	// +kubebuilder:default=60
	// +kubebuilder:validation:Minimum=5
	// +kubebuilder:validation:Maximum=86400
	DrainSeconds int32 `json:"drainSeconds,omitempty"`
}

// IngestorRollout says how a change of an ingestor takes partitions over.
type IngestorRollout struct {
	RolloutPolicy `json:",inline"`

	// shadow lets a canary read along before its first share: it reads all partitions, stores nothing, and is compared with
	// the stable revision, so that what it does wrong with events shows before any is touched. Default true where the topic
	// has one partition, since nothing else is there to compare with then, else false.
	// +optional
	Shadow *bool `json:"shadow,omitempty"`
	// rewind has what a revision has read that was taken back read again by the stable one, on the partitions that it had, from
	// where it began with them. Default false.
	// +optional
	Rewind bool `json:"rewind,omitempty"`
}

// RatingIngestorSpec is the wanted state of an ingestor.
//
// +kubebuilder:validation:XValidation:rule="!has(self.replicas) || self.?scaling.?mode.orValue('Lag') == 'External'",message="replicas is chosen by the operator in scaling.mode Lag: leave it out, or set scaling.mode External"
// +kubebuilder:validation:XValidation:rule="self.serviceRef == oldSelf.serviceRef",message="serviceRef cannot change: make another RatingIngestor"
type RatingIngestorSpec struct {
	// serviceRef names the service whose image, database and schema the ingestor uses. It follows the image that the service
	// has promoted, never its canary's.
	// +required
	ServiceRef IngestorServiceReference `json:"serviceRef"`
	// image is an image of its own. Default: the service's.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-zA-Z0-9.-]+(:[0-9]+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}|(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?@sha256:[a-f0-9]{64})$')",message="must be an image in lower case with a tag or a digest, such as ghcr.io/movieexample/rating:1.4.0"
	Image string `json:"image,omitempty"`
	// bindings are the connections.
	// +required
	Bindings IngestorBindings `json:"bindings"`
	// kafka is what is read.
	// +optional
	// +kubebuilder:default={topic: ratings, group: rating, deadLetterTopic: ratings.dlq}
	Kafka IngestorKafka `json:"kafka,omitzero"`
	// scaling says how many pods read.
	// +optional
	// +kubebuilder:default={mode: Lag, minReplicas: 1, maxReplicas: 12, drainSeconds: 60}
	Scaling IngestorScaling `json:"scaling,omitzero"`
	// replicas is the number of pods in scaling.mode External, usually owned by an autoscaler through /scale. Default 1.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000
	Replicas *int32 `json:"replicas,omitempty"`
	// paused keeps the number of pods and holds rollouts; what runs goes on reading. Default false.
	// +optional
	Paused bool `json:"paused,omitempty"`
	// config is the ingestor's own configuration, a YAML object. The operator adds what it reads and where it writes.
	// +optional
	// +kubebuilder:pruning:PreserveUnknownFields
	Config *runtime.RawExtension `json:"config,omitempty"`
	// env are additional environment variables.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=50
	Env []EnvVar `json:"env,omitempty"`
	// resources are the compute resources of the container. Default requests cpu 50m and memory 128Mi, limits memory 512Mi.
	// +optional
	Resources *Resources `json:"resources,omitempty"`
	// scheduling says on which nodes pods may run.
	// +optional
	Scheduling *Scheduling `json:"scheduling,omitempty"`
	// drainSeconds is the time that a pod has to hand its partitions over after it was told to stop. Default 10.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=600
	DrainSeconds *int32 `json:"drainSeconds,omitempty"`
	// podOverrides is a strategic merge patch of the pod template for what has no knob of its own.
	// +optional
	// +kubebuilder:pruning:PreserveUnknownFields
	PodOverrides *runtime.RawExtension `json:"podOverrides,omitempty"`
	// ownership says who answers for the ingestor.
	// +optional
	Ownership *Ownership `json:"ownership,omitempty"`
	// rollout says how a change takes partitions over. Its steps are partitions: by default 1, then half of them.
	// +optional
	Rollout *IngestorRollout `json:"rollout,omitempty"`
	// objectives bound the share of events that may fail or be dead-lettered (errorPercent).
	// +optional
	Objectives *Objectives `json:"objectives,omitempty"`
	// deletionPolicy says what happens to the consumers when this resource is deleted: Delete lets them leave the group and
	// go, Orphan leaves them running. Nothing is deleted in Kafka. Default Delete.
	// +optional
	DeletionPolicy DeletionPolicy `json:"deletionPolicy,omitempty"`
}

// IngestorMember is a member of the group.
type IngestorMember struct {
	// pod is the member's pod, or the name that it goes by where it is no pod of the ingestor's.
	Pod string `json:"pod"`
	// revision is the pod's revision; empty for a stranger.
	// +optional
	Revision string `json:"revision,omitempty"`
	// partitions are those that it has.
	// +optional
	// +listType=atomic
	Partitions []int32 `json:"partitions,omitempty"`
}

// RatingIngestorStatus is what the operator observed and decided.
type RatingIngestorStatus struct {
	// observedGeneration is the generation of the spec that this status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// conditions are Ready, Reconciling, Stalled (kstatus), Available, ServiceFound, BindingsReady and KafkaReady.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// phase is the state in one word: that of its FleetService, or Pending while there is none.
	// +optional
	Phase string `json:"phase,omitempty"`
	// image is the image that reads.
	// +optional
	Image string `json:"image,omitempty"`
	// ready tells ready of wanted pods.
	// +optional
	Ready string `json:"ready,omitempty"`
	// replicas is the number of live pods of all revisions.
	// +optional
	Replicas int32 `json:"replicas"`
	// selector matches every live pod, for autoscalers.
	// +optional
	Selector string `json:"selector,omitempty"`
	// wantedReplicas is how many pods production and backlog need, in mode Lag.
	// +optional
	WantedReplicas int32 `json:"wantedReplicas,omitempty"`
	// partitions is how many partitions the topic has.
	// +optional
	Partitions int32 `json:"partitions,omitempty"`
	// members are the group's, with what each of them has.
	// +optional
	// +listType=map
	// +listMapKey=pod
	Members []IngestorMember `json:"members,omitempty"`
	// lag is how many records wait, of all partitions.
	// +optional
	Lag int64 `json:"lag"`
	// producedPerSecond, consumedPerSecond are rates of the last minute; perConsumer is the most that one consumer was seen to
	// take while records waited.
	// +optional
	ProducedPerSecond string `json:"producedPerSecond,omitempty"`
	// consumedPerSecond is the rate at which the group moved on.
	// +optional
	ConsumedPerSecond string `json:"consumedPerSecond,omitempty"`
	// perConsumer is what one consumer takes, measured while records waited; empty before that.
	// +optional
	PerConsumer string `json:"perConsumer,omitempty"`
	// stuckPartitions have records and did not move for a minute. They are not scaled for.
	// +optional
	// +listType=atomic
	StuckPartitions []int32 `json:"stuckPartitions,omitempty"`
	// lastCommit is when the group was last seen to move on.
	// +optional
	LastCommit *metav1.Time `json:"lastCommit,omitempty"`
}

// RatingIngestor is a Kafka consumer group that writes ratings.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:subresource:scale:specpath=.spec.replicas,statuspath=.status.replicas,selectorpath=.status.selector
// +kubebuilder:resource:shortName=ri,categories=fleet
// +kubebuilder:printcolumn:name="Phase",type=string,JSONPath=`.status.phase`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.ready`
// +kubebuilder:printcolumn:name="Lag",type=integer,JSONPath=`.status.lag`
// +kubebuilder:printcolumn:name="Consumed/s",type=string,JSONPath=`.status.consumedPerSecond`
// +kubebuilder:printcolumn:name="Partitions",type=integer,JSONPath=`.status.partitions`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`,priority=1
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 40 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",message="metadata.name must be at most 40 characters, start with a letter and hold lower-case letters, digits and '-' only: it becomes the name of its FleetService"
type RatingIngestor struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`
	// spec is the wanted state.
	// +required
	Spec RatingIngestorSpec `json:"spec"`
	// status is what the operator observed and decided.
	// +optional
	// +kubebuilder:default:={"observedGeneration":-1}
	Status RatingIngestorStatus `json:"status,omitempty"`
}

// RatingIngestorList is a list of RatingIngestors.
//
// +kubebuilder:object:root=true
type RatingIngestorList struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []RatingIngestor `json:"items"`
}
