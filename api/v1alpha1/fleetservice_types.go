package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// FleetServiceSpec is the wanted state of one continuously delivered service.
//
// +kubebuilder:validation:XValidation:rule="!has(self.storage) || self.storage != 'MySQL' || (has(self.bindings) && has(self.bindings.mysql))",message="storage MySQL needs bindings.mysql.secretRef.name: the Secret with the database's address and credentials"
// +kubebuilder:validation:XValidation:rule="!has(self.bindings) || !has(self.bindings.consulAdmin) || has(self.bindings.consul)",message="bindings.consulAdmin is the operator's part of bindings.consul: bind that too, or leave both out"
// +kubebuilder:validation:XValidation:rule="!has(self.migrations) || (has(self.storage) && self.storage == 'MySQL')",message="migrations need storage MySQL"
// +kubebuilder:validation:XValidation:rule="!has(self.ports) || (self.ports.?grpc.orValue(8080) != self.ports.?http.orValue(8180) && self.ports.?grpc.orValue(8080) != self.ports.?admin.orValue(8090) && self.ports.?http.orValue(8180) != self.ports.?admin.orValue(8090))",message="ports.grpc, ports.http and ports.admin must be three different ports; those left out are 8080, 8180 and 8090"
// +kubebuilder:validation:XValidation:rule="self.?traffic.?northSouth.orValue('None') != 'Gateway' || size(self.traffic.?gateway.?parentRefs.orValue([])) > 0",message="traffic.northSouth Gateway needs traffic.gateway.parentRefs: the Gateways that the routes attach to"
// +kubebuilder:validation:XValidation:rule="self.?traffic.?northSouth.orValue('None') != 'Gateway' || size(self.traffic.?gateway.?pathPrefixes.orValue([])) + size(self.traffic.?gateway.?grpcServices.orValue([])) > 0",message="traffic.northSouth Gateway needs traffic.gateway with pathPrefixes (an HTTPRoute to the port http) or grpcServices (a GRPCRoute to the port grpc), or both"
// +kubebuilder:validation:XValidation:rule="!has(self.traffic) || !has(self.traffic.eastWest) || self.traffic.eastWest != 'Consul' || (has(self.bindings) && has(self.bindings.consul))",message="traffic.eastWest Consul needs bindings.consul.secretRef.name: the Secret with Consul's address"
// +kubebuilder:validation:XValidation:rule="has(self.consumer) == has(oldSelf.consumer)",message="consumer cannot be added or taken away later: delete the resource and make it anew"
// +kubebuilder:validation:XValidation:rule="!has(self.consumer) || !has(self.traffic)",message="a consumer's work are partitions, which no traffic policy moves: leave traffic out"
type FleetServiceSpec struct {
	// image is the container image, with a tag or a digest. A tag is taken as immutable: a new version has a new tag.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-zA-Z0-9.-]+(:[0-9]+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}|(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?@sha256:[a-f0-9]{64})$')",message="must be an image in lower case with a tag or a digest, such as ghcr.io/movieexample/rating:1.4.0"
	Image string `json:"image"`

	ServiceTemplate `json:",inline"`

	// featureFlags is a file of feature flags that is mounted live: a change of it acts without a new revision. Default none.
	// +optional
	FeatureFlags *FlagsFile `json:"featureFlags,omitempty"`

	// consumer says that the service's work comes from partitions of a Kafka topic. Then every running pod is a member of
	// the group and no requests are moved; rollout.steps are partitions, by default (and where the list is empty) 1 and then half
	// of them; the old revision has no pods during the bake. Default none: the service answers requests.
	// +optional
	Consumer *Consumer `json:"consumer,omitempty"`

	// deletionPolicy says what happens to Deployments, Service objects and Consul entries when this resource is
	// deleted: Delete removes them in order, Orphan leaves them running. Default Delete.
	// +optional
	DeletionPolicy DeletionPolicy `json:"deletionPolicy,omitempty"`
}

// FlagsFile is where a service reads feature flags.
type FlagsFile struct {
	// configMapName is a ConfigMap in the same namespace whose key flags.yaml says of each flag true or false.
	// config.flags.path is set to it. While there is none, flags are what the service has by default.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')",message="must be the name of a ConfigMap: lower-case letters, digits, '-' and '.'"
	ConfigMapName string `json:"configMapName"`
}

// Consumer is the work of a service that reads a Kafka topic. None of it makes a revision. Its pods show
// ingest_next_offset and ingest_lag_records by partition on their page of metrics: a canary whose partitions stand still
// while stable's move is taken back.
type Consumer struct {
	// group is the consumer group's name.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=249
	Group string `json:"group"`
	// partitions is how many partitions the topic has. There are never more pods than partitions.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000
	Partitions int32 `json:"partitions"`
	// rewind has the stable revision read again what a revision has read that was taken back. When the pods of that revision
	// are gone, a Job runs the stable revision's program with `rewind --revision HASH --since TIME --if-begun --while-consumed
	// --yes --report FILE`; what it writes to FILE stands in status. Reading goes on meanwhile; another revision is tried
	// after it. Default false.
	// +optional
	Rewind bool `json:"rewind,omitempty"`
	// topic is the topic's name.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=249
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-zA-Z0-9._-]+$')",message="must be the name of a Kafka topic: letters, digits, '.', '_' and '-'"
	Topic string `json:"topic"`
	// shadow lets a canary read along before its first share: one pod, started with the further argument
	// --ingest.shadow=true, which must read all partitions as a member of no group, store nothing and show the same metrics.
	// Only for programs that know it; one that refuses it is taken back. Default false.
	// +optional
	Shadow bool `json:"shadow,omitempty"`
}

// ShadowStage says how far a canary is with reading along.
// +kubebuilder:validation:Enum=On;Passed
type ShadowStage string

// ShadowStatus tells of a consumer's canary that reads along, and stores nothing, before its first share.
type ShadowStatus struct {
	// stage is On while its pod is a shadow, Passed from then on.
	Stage ShadowStage `json:"stage"`
	// since is when it was seen to read along; none before that, and after it.
	// +optional
	Since *metav1.Time `json:"since,omitempty"`
}

// RevisionStatus describes one live revision.
type RevisionStatus struct {
	// hash names the revision.
	Hash string `json:"hash"`
	// image is the revision's image.
	Image string `json:"image"`
	// since is when the revision took its present part.
	Since metav1.Time `json:"since"`
	// replicas is how many pods the revision has.
	// +optional
	Replicas int32 `json:"replicas"`
	// readyReplicas is how many of them are ready.
	// +optional
	ReadyReplicas int32 `json:"readyReplicas"`
	// trialSince is when the revision's trial began; its evidence goes on until the end of its bake.
	// +optional
	TrialSince *metav1.Time `json:"trialSince,omitempty"`
	// quietSince is, of a leaving revision, since when no requests are sent to it.
	// +optional
	QuietSince *metav1.Time `json:"quietSince,omitempty"`
}

// RejectedRevision is a revision that was taken back.
type RejectedRevision struct {
	// hash names the revision. The same spec does nothing until it changes.
	Hash string `json:"hash"`
	// image is the revision's image.
	Image string `json:"image"`
	// reason is the fact that decided, such as CrashLoop or ImageNotFound.
	Reason string `json:"reason"`
	// message says what was seen, with its numbers or words.
	Message string `json:"message"`
	// at is when it was taken back.
	At metav1.Time `json:"at"`
	// quarantined is true where the same revision is not tried again until the spec changes or a retry is commanded.
	// +optional
	Quarantined bool `json:"quarantined,omitempty"`
	// signals are the counts and the evidence at that time.
	// +optional
	// +listType=map
	// +listMapKey=name
	Signals []SignalStatus `json:"signals,omitempty"`
}

// RewindPhase is how far a rewind is.
// +kubebuilder:validation:Enum=Pending;Done;Failed
type RewindPhase string

// RewindStatus is about the partitions of a revision that was taken back.
type RewindStatus struct {
	// revision is the one that was taken back.
	Revision string `json:"revision"`
	// since is when its trial began: partitions go back to where it began with them since then.
	Since metav1.Time `json:"since"`
	// phase is Pending, Done or Failed. Failed waits for a person; the message says what to do.
	Phase RewindPhase `json:"phase"`
	// message says which partitions are read again from where, or what went wrong.
	// +optional
	Message string `json:"message,omitempty"`
	// at is when the revision was taken back.
	At metav1.Time `json:"at"`
}

// RolloutStatus is how far the revision on trial is.
type RolloutStatus struct {
	// weight is the percentage of requests that was decided for the canary.
	Weight int32 `json:"weight"`
	// next is the percentage that it is given when its harm is bounded.
	// +optional
	Next int32 `json:"next,omitempty"`
	// since is when the weight was given.
	Since metav1.Time `json:"since"`
	// shadow is how far a consumer's canary is with reading along before its first share; none where it does not.
	// +optional
	Shadow *ShadowStatus `json:"shadow,omitempty"`
	// granted is the weight up to which a command lets the canary go without evidence.
	// +optional
	Granted int32 `json:"granted,omitempty"`
	// countedBy says who counts: callers or servers.
	// +optional
	CountedBy string `json:"countedBy,omitempty"`
	// measuredPercent is the share of requests that the canary had at this weight, from counters.
	// +optional
	MeasuredPercent string `json:"measuredPercent,omitempty"`
	// timeLeft is how long the next step is expected to take at this traffic.
	// +optional
	TimeLeft string `json:"timeLeft,omitempty"`
	// smallestEffect is the least odds ratio that this traffic is expected to show within maxStepDuration.
	// +optional
	SmallestEffect string `json:"smallestEffect,omitempty"`
	// signals are the counts and the evidence of this release.
	// +optional
	// +listType=map
	// +listMapKey=name
	Signals []SignalStatus `json:"signals,omitempty"`
}

// SignalStatus is what one signal shows of the canary and, in the same time, of the stable revision.
type SignalStatus struct {
	// name is errors, refusals or latency.
	Name string `json:"name"`
	// canary is bad of all of the canary's requests, such as 3/120.
	Canary string `json:"canary"`
	// stable is the same of the stable revision.
	Stable string `json:"stable"`
	// against is the evidence that the canary is worse than tolerated: 100 convicts at falseRollback 0.01.
	// +optional
	Against string `json:"against,omitempty"`
	// forNext is the evidence that the next weight is harmless: 20 suffices at falsePromote 0.05.
	// +optional
	ForNext string `json:"forNext,omitempty"`
}

// BakeStatus is how far the bake of a promoted revision is.
type BakeStatus struct {
	// until is when the old revision goes, if nothing speaks against the new one.
	Until metav1.Time `json:"until"`
	// askingSince is since when half of the requests go to the old revision again, because of a suspicion.
	// +optional
	AskingSince *metav1.Time `json:"askingSince,omitempty"`
	// suspicion is the strongest evidence that something changed; 1000 asks.
	// +optional
	Suspicion string `json:"suspicion,omitempty"`
}

// CommandStatus is what became of a command.
type CommandStatus struct {
	// command is the annotation's value: verb@revision@token.
	Command string `json:"command"`
	// outcome says what was done, or why nothing was.
	Outcome string `json:"outcome"`
	// at is when it was taken up.
	At metav1.Time `json:"at"`
}

// TrafficStatus is the verified position of traffic.
type TrafficStatus struct {
	// revision is the hash of the revision that traffic goes to, but for the canary's share.
	Revision string `json:"revision"`
	// other is the hash of the revision that has a share beside it.
	// +optional
	Other string `json:"other,omitempty"`
	// otherPercent is that share, in percent.
	// +optional
	OtherPercent int32 `json:"otherPercent,omitempty"`
	// through names what sends it there.
	Through string `json:"through"`
	// since is when this was first verified.
	Since metav1.Time `json:"since"`
}

// ConsulRegistration is a place in Consul.
type ConsulRegistration struct {
	// name is the service's name there.
	Name string `json:"name"`
	// secretName is the Secret with Consul's address.
	SecretName string `json:"secretName"`
}

// FleetServiceStatus is what the operator observed and decided.
type FleetServiceStatus struct {
	// observedGeneration is the generation of the spec that this status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// conditions are Ready, Reconciling, Stalled (kstatus), Available, BindingsReady, SpecValid, ObjectivesValid,
	// LedgerReadable, Progressing, Baking and RolledBack.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// phase is the state in one word: Pending, Starting, Serving, Scaling, Unavailable, Migrating, Updating,
	// Shadow, Canary, Paused, Baking, TakenBack, Stalled, Deleting.
	// +optional
	Phase string `json:"phase,omitempty"`
	// stable is the revision that was promoted last and serves.
	// +optional
	Stable *RevisionStatus `json:"stable,omitempty"`
	// canary is the revision on trial, beside stable.
	// +optional
	Canary *RevisionStatus `json:"canary,omitempty"`
	// traffic is where the callers of this service were last seen to be sent, and since when.
	// +optional
	Traffic *TrafficStatus `json:"traffic,omitempty"`
	// consul is where Consul holds entries of the service: where it is bound now, and where it was bound before until they
	// are removed.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +listMapKey=secretName
	Consul []ConsulRegistration `json:"consul,omitempty"`
	// previous is the revision that stable replaced, while the bake lasts.
	// +optional
	Previous *RevisionStatus `json:"previous,omitempty"`
	// leaving are revisions without requests that finish those they had.
	// +optional
	// +listType=map
	// +listMapKey=hash
	Leaving []RevisionStatus `json:"leaving,omitempty"`
	// rollout is how far the canary is.
	// +optional
	Rollout *RolloutStatus `json:"rollout,omitempty"`
	// bake is how far the bake of the stable revision is.
	// +optional
	Bake *BakeStatus `json:"bake,omitempty"`
	// lastCommand is what became of the last command.
	// +optional
	LastCommand *CommandStatus `json:"lastCommand,omitempty"`
	// rejected is the revision that was taken back last.
	// +optional
	Rejected *RejectedRevision `json:"rejected,omitempty"`
	// rewind is what became of the partitions of the revision taken back last, where spec.consumer.rewind asks for it. It
	// stays until another revision is tried.
	// +optional
	Rewind *RewindStatus `json:"rewind,omitempty"`
	// replicas is the number of live pods of all revisions.
	// +optional
	Replicas int32 `json:"replicas"`
	// selector matches every live pod, for autoscalers.
	// +optional
	Selector string `json:"selector,omitempty"`
	// ready tells ready of wanted pods of the stable revision, such as 3/3.
	// +optional
	Ready string `json:"ready,omitempty"`
}

// FleetService is one continuously delivered service: it keeps a stable revision serving and moves every
// change through a new revision beside it.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:subresource:scale:specpath=.spec.replicas,statuspath=.status.replicas,selectorpath=.status.selector
// +kubebuilder:resource:shortName=fs,categories=fleet
// +kubebuilder:printcolumn:name="Phase",type=string,JSONPath=`.status.phase`
// +kubebuilder:printcolumn:name="Stable",type=string,JSONPath=`.status.stable.hash`
// +kubebuilder:printcolumn:name="Canary",type=string,JSONPath=`.status.canary.hash`
// +kubebuilder:printcolumn:name="Weight",type=integer,JSONPath=`.status.rollout.weight`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.ready`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Image",type=string,JSONPath=`.status.stable.image`,priority=1
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`,priority=1
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 40 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",message="metadata.name must be at most 40 characters, start with a letter and hold lower-case letters, digits and '-' only: it becomes the name of a Service object"
type FleetService struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`
	// spec is the wanted state.
	// +required
	Spec FleetServiceSpec `json:"spec"`
	// status is what the operator observed and decided.
	// +optional
	// +kubebuilder:default:={"observedGeneration":-1}
	Status FleetServiceStatus `json:"status,omitempty"`
}

// FleetServiceList is a list of FleetServices.
//
// +kubebuilder:object:root=true
type FleetServiceList struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []FleetService `json:"items"`
}
