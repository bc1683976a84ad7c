package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// StorageKind says where a service keeps its data.
// +kubebuilder:validation:Enum=None;MySQL;Memory
type StorageKind string

// The kinds of storage.
const (
	// StorageNone: the service keeps nothing.
	StorageNone StorageKind = "None"
	// StorageMySQL: the database of the binding mysql.
	StorageMySQL StorageKind = "MySQL"
	// StorageMemory: the process' own memory, lost with the pod; one replica only.
	StorageMemory StorageKind = "Memory"
)

// DeletionPolicy says what happens to the children of a deleted resource.
// +kubebuilder:validation:Enum=Delete;Orphan
type DeletionPolicy string

// The deletion policies.
const (
	// DeletionDelete: children go with their owner.
	DeletionDelete DeletionPolicy = "Delete"
	// DeletionOrphan: children stay and keep running, owned by nobody.
	DeletionOrphan DeletionPolicy = "Orphan"
)

// SecretReference names a Secret in the namespace of the resource.
type SecretReference struct {
	// name is the Secret's name.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')",message="must be the name of a Secret: lower-case letters, digits, '-' and '.'"
	Name string `json:"name"`
}

// ConsulBinding connects a service with Consul.
type ConsulBinding struct {
	// secretRef names a Secret in the Service Binding layout with the keys type (consul), host, port, [scheme, token, ca.crt].
	// +required
	SecretRef SecretReference `json:"secretRef"`
}

// MySQLBinding connects a service with its database.
type MySQLBinding struct {
	// secretRef names a Secret in the Service Binding layout with the keys type (mysql), host, port, username,
	// password and database.
	// +required
	SecretRef SecretReference `json:"secretRef"`
	// allowShared permits that another service of the application uses the same database. Default false: two
	// services with one database are refused, since the migrations of one would change the tables of the other.
	// +optional
	AllowShared bool `json:"allowShared,omitempty"`
}

// KafkaBinding connects a service with Kafka.
type KafkaBinding struct {
	// secretRef names a Secret in the Service Binding layout with the keys type (kafka), bootstrap-servers,
	// [security.protocol, sasl.mechanism, username, password, ca.crt].
	// +required
	SecretRef SecretReference `json:"secretRef"`
}

// RedisBinding connects a service with Redis.
type RedisBinding struct {
	// secretRef names a Secret in the Service Binding layout with the keys type (redis), host, [port, username,
	// password, ca.crt].
	// +required
	SecretRef SecretReference `json:"secretRef"`
}

// AuthKeysBinding gives a service the keys that sign tokens.
type AuthKeysBinding struct {
	// secretRef names a Secret with the keys type (auth-keys), signing (the id of the key that signs) and <id>.pem for each
	// private key (Ed25519, PKCS #8).
	// +required
	SecretRef SecretReference `json:"secretRef"`
}

// TLSBinding gives a service its certificate.
type TLSBinding struct {
	// secretRef names a Secret with the keys tls.crt, tls.key and ca.crt, as cert-manager writes it. tls.crt says who the
	// service is by one URI, spiffe://<trust domain>/ns/<namespace>/sa/<FleetService>.
	// +required
	SecretRef SecretReference `json:"secretRef"`
}

// Bindings are the connections of a service. Each Secret is mounted live at /bindings/<kind>.
type Bindings struct {
	// consul is the registry in which instances register and callers find them. Without it callers use the
	// Service object's DNS name.
	// +optional
	Consul *ConsulBinding `json:"consul,omitempty"`
	// consulAdmin is what the operator itself uses, mounted nowhere: a token that may write services' config entries and
	// take instances out. Default: consul.
	// +optional
	ConsulAdmin *ConsulBinding `json:"consulAdmin,omitempty"`
	// mysql is the database of a service with storage MySQL.
	// +optional
	MySQL *MySQLBinding `json:"mysql,omitempty"`
	// kafka is the broker to which changes are published.
	// +optional
	Kafka *KafkaBinding `json:"kafka,omitempty"`
	// redis is a cache that the instances of a service share.
	// +optional
	Redis *RedisBinding `json:"redis,omitempty"`
	// authKeys are the keys with which the service auth signs tokens. Default for auth: the Secret <application>-auth-keys,
	// which the operator makes and rotates.
	// +optional
	AuthKeys *AuthKeysBinding `json:"authKeys,omitempty"`
	// tls is the service's certificate. Default in a MovieApp with tls: the Secret <application>-<service>-tls, which the
	// operator, or cert-manager for it, makes and renews.
	// +optional
	TLS *TLSBinding `json:"tls,omitempty"`
}

// Files gives a service a volume that all its pods share.
type Files struct {
	// claimName is a PersistentVolumeClaim in the same namespace with access mode ReadWriteMany. It is mounted, and
	// config.files.path says where; uploads need it.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')",message="must be the name of a PersistentVolumeClaim: lower-case letters, digits, '-' and '.'"
	ClaimName string `json:"claimName"`
}

// EnvVar is an environment variable of the service's container.
// +kubebuilder:validation:XValidation:rule="!has(self.value) || !has(self.secretKeyRef)",message="give either value or secretKeyRef, not both"
type EnvVar struct {
	// name is the variable's name. Names that the operator sets (POD_NAME, POD_NAMESPACE, POD_UID, POD_IP,
	// FLEET_APP, FLEET_SERVICE, FLEET_REVISION, FLEET_CONFIG, SERVICE_BINDING_ROOT) are refused.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z_][A-Za-z0-9_]*$')",message="must be letters, digits and '_', not starting with a digit"
	// +kubebuilder:validation:XValidation:rule="!(self in ['POD_NAME','POD_NAMESPACE','POD_UID','POD_IP','FLEET_APP','FLEET_SERVICE','FLEET_REVISION','FLEET_CONFIG','SERVICE_BINDING_ROOT'])",message="is set by the operator; choose another name"
	Name string `json:"name"`
	// value is the variable's value; default empty.
	// +optional
	// +kubebuilder:validation:MaxLength=4096
	Value string `json:"value,omitempty"`
	// secretKeyRef takes the value from a key of a Secret in the same namespace.
	// +optional
	SecretKeyRef *SecretKeyReference `json:"secretKeyRef,omitempty"`
}

// SecretKeyReference names one key of a Secret.
type SecretKeyReference struct {
	// name is the Secret's name.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// key is the key in the Secret's data.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Key string `json:"key"`
}

// Ports are the container's ports. They must differ from each other. A port that is left out has its default.
// +kubebuilder:validation:XValidation:rule="(!has(self.grpc) || !has(self.http) || self.grpc != self.http) && (!has(self.grpc) || !has(self.admin) || self.grpc != self.admin) && (!has(self.http) || !has(self.admin) || self.http != self.admin)",message="grpc, http and admin must be three different ports"
type Ports struct {
	// grpc is the port of the gRPC API. Default 8080.
	// +optional
	// +kubebuilder:validation:Minimum=1024
	// +kubebuilder:validation:Maximum=65535
	GRPC int32 `json:"grpc,omitempty"`
	// http is the port of the REST API. Default 8180.
	// +optional
	// +kubebuilder:validation:Minimum=1024
	// +kubebuilder:validation:Maximum=65535
	HTTP int32 `json:"http,omitempty"`
	// admin is the port of /healthz, /readyz and /metrics. Default 8090.
	// +optional
	// +kubebuilder:validation:Minimum=1024
	// +kubebuilder:validation:Maximum=65535
	Admin int32 `json:"admin,omitempty"`
}

// Resources are the compute resources of the service's container.
type Resources struct {
	// requests is what the scheduler reserves. Default cpu 50m, memory 64Mi.
	// +optional
	// +kubebuilder:validation:MaxProperties=8
	Requests corev1.ResourceList `json:"requests,omitempty"`
	// limits is what the container may use at most. Default memory 256Mi, no cpu limit.
	// +optional
	// +kubebuilder:validation:MaxProperties=8
	Limits corev1.ResourceList `json:"limits,omitempty"`
}

// Autoscaling lets a HorizontalPodAutoscaler choose the number of pods by the processor time that they use.
//
// +kubebuilder:validation:XValidation:rule="self.minReplicas <= self.maxReplicas",message="minReplicas must be at most maxReplicas"
type Autoscaling struct {
	// minReplicas is the least number of pods. Default 1.
	// +optional
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	MinReplicas int32 `json:"minReplicas,omitempty"`
	// maxReplicas is the greatest number of pods.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	MaxReplicas int32 `json:"maxReplicas"`
	// cpuUtilizationPercent is what the pods should use of the processor time that they request, on average over all
	// pods of all revisions. Default 70.
	// +optional
	// +kubebuilder:default=70
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	CPUUtilizationPercent int32 `json:"cpuUtilizationPercent,omitempty"`
}

// Migrations say how a service's database schema is brought up to date.
type Migrations struct {
	// args are the arguments with which the image runs its migrations and exits 0. A Job runs them before
	// the first pod of a new image. Default [migrate].
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=20
	// +kubebuilder:validation:items:MaxLength=512
	Args []string `json:"args,omitempty"`
}

// Scheduling says on which nodes pods may run. Pods are spread over nodes and zones by default.
type Scheduling struct {
	// nodeSelector restricts pods to nodes with these labels.
	// +optional
	// +kubebuilder:validation:MaxProperties=20
	NodeSelector map[string]string `json:"nodeSelector,omitempty"`
	// tolerations let pods run on nodes with matching taints.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=20
	Tolerations []Toleration `json:"tolerations,omitempty"`
	// priorityClassName is the PriorityClass of the pods.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	PriorityClassName string `json:"priorityClassName,omitempty"`
}

// Toleration is Kubernetes' own, in short.
type Toleration struct {
	// key is the taint's key. Empty, with operator Exists: every taint.
	// +optional
	Key string `json:"key,omitempty"`
	// operator compares the taint's value: Exists, Equal, Lt or Gt. Default Equal.
	// +optional
	Operator corev1.TolerationOperator `json:"operator,omitempty"`
	// value is compared with the taint's; empty with operator Exists.
	// +optional
	Value string `json:"value,omitempty"`
	// effect is the taint's: NoSchedule, PreferNoSchedule or NoExecute. Default: all.
	// +optional
	Effect corev1.TaintEffect `json:"effect,omitempty"`
	// tolerationSeconds is how long a pod stays under a taint NoExecute. Default for ever; 0 or less leaves at once.
	// +optional
	TolerationSeconds *int64 `json:"tolerationSeconds,omitempty"`
}

// Ownership says who answers for a service. It is shown as annotations on Deployments and Service objects;
// a change restarts nothing.
type Ownership struct {
	// accountable is the person or team that answers for the service, such as an e-mail address.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	Accountable string `json:"accountable"`
	// support is where users ask, such as a channel.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Support string `json:"support,omitempty"`
	// oncall is whom an alert wakes, such as a rotation.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Oncall string `json:"oncall,omitempty"`
}

// ServiceTemplate is what a MovieApp's service and a FleetService have in common: the typed knobs of a
// service. Everything here but replicas, autoscaling, rollout, objectives, traffic, signals and ownership is part of the revision:
// a change of it goes through a canary.
//
// +kubebuilder:validation:XValidation:rule="!has(self.storage) || self.storage != 'Memory' || !has(self.replicas) || self.replicas <= 1",message="storage Memory is lost with the pod and not shared: it needs replicas 1 (or use storage MySQL)"
// +kubebuilder:validation:XValidation:rule="!has(self.autoscaling) || !has(self.storage) || self.storage != 'Memory'",message="storage Memory is lost with the pod and not shared: it cannot be scaled (leave autoscaling out, or use storage MySQL)"
type ServiceTemplate struct {
	// replicas is the number of pods. Default 1. Left out, autoscaling or an autoscaler of your own (through /scale) owns it.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000
	Replicas *int32 `json:"replicas,omitempty"`
	// autoscaling lets a HorizontalPodAutoscaler, which the operator makes, own replicas.
	// +optional
	Autoscaling *Autoscaling `json:"autoscaling,omitempty"`
	// args are the arguments of the program; none means serve.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=50
	// +kubebuilder:validation:items:MaxLength=1024
	Args []string `json:"args,omitempty"`
	// env are additional environment variables.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=50
	Env []EnvVar `json:"env,omitempty"`
	// config is the service's own configuration, a YAML object mounted as /etc/fleet/config.yaml. The operator
	// adds storage, discovery and the ports; setting those here is refused.
	// +optional
	// +kubebuilder:pruning:PreserveUnknownFields
	Config *runtime.RawExtension `json:"config,omitempty"`
	// storage says where the service keeps its data: None, MySQL (needs bindings.mysql) or Memory (lost with
	// the pod, one replica only). Default None; MySQL for the presets metadata, rating and auth.
	// +optional
	Storage StorageKind `json:"storage,omitempty"`
	// resources are the compute resources of the container.
	// +optional
	Resources *Resources `json:"resources,omitempty"`
	// ports are the container's ports. The presets metadata, rating, auth and movie have their own defaults.
	// +optional
	Ports *Ports `json:"ports,omitempty"`
	// bindings are the connections of the service.
	// +optional
	Bindings *Bindings `json:"bindings,omitempty"`
	// files is the volume for files, such as movie's uploads. Default none.
	// +optional
	Files *Files `json:"files,omitempty"`
	// consulName is the service's name in Consul. Default <namespace>-<FleetService name>.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",message="must start with a letter and hold lower-case letters, digits and '-' only"
	ConsulName string `json:"consulName,omitempty"`
	// migrations bring the database schema up to date before the first pod of a new image. Set for the
	// presets metadata, rating and auth when their storage is MySQL.
	// +optional
	Migrations *Migrations `json:"migrations,omitempty"`
	// scheduling says on which nodes pods may run.
	// +optional
	Scheduling *Scheduling `json:"scheduling,omitempty"`
	// drainSeconds is the time that a pod has to finish its requests after it was told to stop, and the time
	// that an old revision stays after the switch. Default 10.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=600
	DrainSeconds *int32 `json:"drainSeconds,omitempty"`
	// podOverrides is a strategic merge patch of the pod template for what has no knob of its own; the
	// service's container is named "service". It may not set what grants more than the service has:
	// serviceAccountName, host namespaces, hostPath volumes, privileged containers, nodeName, ports, or the
	// operator's own labels.
	// +optional
	// +kubebuilder:pruning:PreserveUnknownFields
	PodOverrides *runtime.RawExtension `json:"podOverrides,omitempty"`
	// ownership says who answers for the service.
	// +optional
	Ownership *Ownership `json:"ownership,omitempty"`
	// rollout says how a change of this service reaches users.
	// +optional
	Rollout *RolloutPolicy `json:"rollout,omitempty"`
	// objectives say how good answers must be; they bound the harm that a canary may do before it gets more requests.
	// +optional
	Objectives *Objectives `json:"objectives,omitempty"`
	// traffic says through what requests are split between revisions.
	// +optional
	Traffic *TrafficPolicy `json:"traffic,omitempty"`
	// signals say where the health of a revision is read. Default: the metrics page of each pod, as grpc-go's
	// middleware and common HTTP middleware write it.
	// +optional
	Signals *SignalPolicy `json:"signals,omitempty"`
}
