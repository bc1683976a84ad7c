package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// AppImage says where the images of an application come from: <registry>/<service>:<tag>.
type AppImage struct {
	// registry is the prefix of every service's image, such as ghcr.io/movieexample.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-zA-Z0-9.-]+(:[0-9]+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*$')",message="must be a registry with an optional path in lower case and no tag, such as ghcr.io/movieexample or localhost:5000/fleet"
	Registry string `json:"registry"`
	// tag is the version of every service. A tag is taken as immutable: a new version has a new tag.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9_][A-Za-z0-9_.-]*$')",message="must be an image tag: letters, digits, '_', '.' and '-'"
	Tag string `json:"tag"`
}

// ServiceImage overrides the image of one service, field by field.
// +kubebuilder:validation:XValidation:rule="!has(self.tag) || !has(self.digest)",message="give either tag or digest, not both"
type ServiceImage struct {
	// registry replaces spec.image.registry for this service.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-zA-Z0-9.-]+(:[0-9]+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*$')",message="must be a registry with an optional path in lower case and no tag, such as ghcr.io/movieexample or localhost:5000/fleet"
	Registry string `json:"registry,omitempty"`
	// name replaces the service's name in the image, <registry>/<name>.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]+([._-]+[a-z0-9]+)*$')",message="must be the last part of an image's name: lower-case letters, digits, '.', '_' and '-'"
	Name string `json:"name,omitempty"`
	// tag replaces spec.image.tag for this service.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9_][A-Za-z0-9_.-]*$')",message="must be an image tag: letters, digits, '_', '.' and '-'"
	Tag string `json:"tag,omitempty"`
	// digest pins the image by content, such as sha256:….
	// +optional
	// +kubebuilder:validation:MaxLength=71
	// +kubebuilder:validation:XValidation:rule="self.matches('^sha256:[a-f0-9]{64}$')",message="must be sha256: and 64 hexadecimal digits"
	Digest string `json:"digest,omitempty"`
}

// MovieAppService is one service of an application.
//
// +kubebuilder:validation:XValidation:rule="!has(self.autoscaling) || !has(self.replicas)",message="replicas is what autoscaling chooses: leave one of the two out"
type MovieAppService struct {
	// image overrides the application's image for this service.
	// +optional
	Image *ServiceImage `json:"image,omitempty"`
	// dependsOn lists the services that this one calls. They get a new version first, and this service finds
	// them in its config as upstreams. Default [metadata, rating] for movie, none for others.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=20
	// +kubebuilder:validation:items:MaxLength=38
	DependsOn []string `json:"dependsOn,omitempty"`

	ServiceTemplate `json:",inline"`
}

// AppAuth lets services ask their callers for tokens of the application's own service auth.
type AppAuth struct {
	// keyRotation is how long a key signs tokens before the next one does. Default 720h.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1h') && duration(self) <= duration('87600h')",message="must be from 1h to 87600h (ten years)"
	KeyRotation *metav1.Duration `json:"keyRotation,omitempty"`
	// tokensNotBefore refuses every token that was issued before this time: set it when tokens were stolen.
	// +optional
	TokensNotBefore *metav1.Time `json:"tokensNotBefore,omitempty"`
}

// AppTLS lets the services of an application speak TLS, and know each other by name. It is chosen when the application is
// created: both ends of each call would have to change at once.
//
// +kubebuilder:validation:XValidation:rule="has(self.trustDomain) == has(oldSelf.trustDomain) && (!has(self.trustDomain) || self.trustDomain == oldSelf.trustDomain) && has(self.issuerRef) == has(oldSelf.issuerRef) && (!has(self.issuerRef) || self.issuerRef.name == oldSelf.issuerRef.name && has(self.issuerRef.kind) == has(oldSelf.issuerRef.kind) && (!has(self.issuerRef.kind) || self.issuerRef.kind == oldSelf.issuerRef.kind) && has(self.issuerRef.group) == has(oldSelf.issuerRef.group) && (!has(self.issuerRef.group) || self.issuerRef.group == oldSelf.issuerRef.group))",message="tls.trustDomain and tls.issuerRef are chosen when the application is created, since services that have the new ones and those that have the old would refuse each other: create another MovieApp with them"
// +kubebuilder:validation:XValidation:rule="!has(self.issuerRef) || !has(self.authorityRotation)",message="tls.authorityRotation is for the operator's own authority: leave it out where issuerRef names another"
// +kubebuilder:validation:XValidation:rule="!has(self.authorityRotation) || !self.authorityRotation.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') || (has(self.certificateLifetime) ? !self.certificateLifetime.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') || duration(self.authorityRotation) >= duration(self.certificateLifetime) : duration(self.authorityRotation) >= duration('720h'))",message="tls.authorityRotation must be at least tls.certificateLifetime (720h if left out)"
type AppTLS struct {
	// trustDomain stands in every identity, spiffe://<trustDomain>/ns/<namespace>/sa/<application>-<service>. Default
	// cluster.local.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9._-]+$')",message="must be lower-case letters, digits, '.', '-' and '_', such as cluster.local"
	TrustDomain string `json:"trustDomain,omitempty"`
	// certificateLifetime is how long a certificate holds; it is renewed when a third of that is left. From 1h to 8760h.
	// Default 720h.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') && duration(self) >= duration('1h') && duration(self) <= duration('8760h')",message="must be a duration from 1h to 8760h, such as 720h"
	CertificateLifetime *metav1.Duration `json:"certificateLifetime,omitempty"`
	// authorityRotation is how long the operator's authority signs before the next one does, which every pod trusts by
	// then. From 1h to 87600h. Default 8760h.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') && duration(self) >= duration('1h') && duration(self) <= duration('87600h')",message="must be a duration from 1h to 87600h (ten years), such as 8760h"
	AuthorityRotation *metav1.Duration `json:"authorityRotation,omitempty"`
	// issuerRef names an issuer of cert-manager, which makes the certificates then. Default: an authority of the operator's
	// own for this application.
	// +optional
	IssuerRef *IssuerReference `json:"issuerRef,omitempty"`
}

// IssuerReference names an issuer of cert-manager.
type IssuerReference struct {
	// name is the issuer's name.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// kind is Issuer, in the application's namespace, ClusterIssuer, or that of an issuer from elsewhere. Default Issuer.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Kind string `json:"kind,omitempty"`
	// group is the API group of kind. Default cert-manager.io.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Group string `json:"group,omitempty"`
}

// FeatureFlag is whether a feature is on.
type FeatureFlag struct {
	// value is true for on and false for off.
	// +required
	Value bool `json:"value"`
	// rollout says how a change of value reaches the pods: Live at once and in all of them, Revision as a new revision that goes
	// through a canary. Default Live.
	// +optional
	Rollout FlagRollout `json:"rollout,omitempty"`
}

// FlagRollout says how a change of a flag reaches the pods.
// +kubebuilder:validation:Enum=Live;Revision
type FlagRollout string

// The ways of a flag.
const (
	// FlagLive: in all pods within a minute or so, without a restart.
	FlagLive FlagRollout = "Live"
	// FlagRevision: as a part of the service's revision.
	FlagRevision FlagRollout = "Revision"
)

// Telemetry says what services tell of themselves beside logs and metrics.
type Telemetry struct {
	// traces says where the spans of requests go.
	// +optional
	Traces *Traces `json:"traces,omitempty"`
}

// Traces says where the spans of requests go.
type Traces struct {
	// endpoint is an OTLP collector that is reached by gRPC, such as http://collector.observability:4317; https for TLS.
	// +required
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^https?://[^/@: ]+:[0-9]{1,5}$')",message="must be http://host:port or https://host:port of an OTLP collector (gRPC, usually port 4317)"
	Endpoint string `json:"endpoint"`
	// ratio is the share of traces that is recorded, from 0 to 1. Default "0.01".
	// +optional
	// +kubebuilder:validation:MaxLength=12
	// +kubebuilder:validation:XValidation:rule="self.matches('^(0([.][0-9]{1,9})?|1([.]0{1,9})?)$')",message="must be a number from 0 to 1 as a string, such as \"0.01\""
	Ratio string `json:"ratio,omitempty"`
}

// MovieAppSpec is the wanted state of a whole application.
//
// +kubebuilder:validation:XValidation:rule="!has(self.auth) || 'auth' in self.services",message="auth needs the service auth, which issues the tokens: add it to services"
// +kubebuilder:validation:XValidation:rule="self.services.all(s, !has(self.services[s].dependsOn) || self.services[s].dependsOn.all(d, d in self.services))",message="dependsOn may only name services of this application"
// +kubebuilder:validation:XValidation:rule="self.services.all(s, !has(self.services[s].dependsOn) || !(s in self.services[s].dependsOn))",message="a service cannot depend on itself"
// +kubebuilder:validation:XValidation:rule="self.services.all(s, s.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$'))",message="service names must start with a letter and hold lower-case letters, digits and '-' only"
// +kubebuilder:validation:XValidation:rule="has(self.ownership) || self.services.all(s, has(self.services[s].ownership))",message="ownership.accountable is required, for the application or for each service: who answers when it fails?"
// +kubebuilder:validation:XValidation:rule="self.services.all(s, self.services[s].?storage.orValue(s in ['metadata', 'rating', 'auth'] ? 'MySQL' : 'None') != 'MySQL' || has(self.services[s].bindings) && has(self.services[s].bindings.mysql) || has(self.bindings) && has(self.bindings.mysql))",message="a service with storage MySQL (the preset of metadata, rating and auth) needs bindings.mysql.secretRef.name: the Secret with the database's address and credentials"
// +kubebuilder:validation:XValidation:rule="self.services.all(s, !has(self.services[s].migrations) || self.services[s].?storage.orValue(s in ['metadata', 'rating', 'auth'] ? 'MySQL' : 'None') == 'MySQL')",message="migrations need storage MySQL"
// +kubebuilder:validation:XValidation:rule="!('metadata' in self.services && self.services['metadata'].?storage.orValue('MySQL') == 'None') && !('rating' in self.services && self.services['rating'].?storage.orValue('MySQL') == 'None') && !('auth' in self.services && self.services['auth'].?storage.orValue('MySQL') == 'None')",message="metadata, rating and auth keep data: their storage is MySQL or Memory, not None"
// +kubebuilder:validation:XValidation:rule="self.services.all(s, !has(self.services[s].files) || !(s in ['metadata', 'rating', 'auth']))",message="metadata, rating and auth keep no files: files is for movie, or for a service of your own"
// +kubebuilder:validation:XValidation:rule="size(self.?traffic.?gateway.?pathPrefixes.orValue([])) + size(self.?traffic.?gateway.?grpcServices.orValue([])) == 0",message="traffic.gateway.pathPrefixes and grpcServices belong to one service: write them in services.<name>.traffic.gateway; movie has its own already"
// +kubebuilder:validation:XValidation:rule="self.services.all(s, self.services[s].?traffic.?northSouth.orValue('None') != 'Gateway' || s == 'movie' || size(self.services[s].traffic.?gateway.?pathPrefixes.orValue([])) + size(self.services[s].traffic.?gateway.?grpcServices.orValue([])) > 0)",message="a service with traffic.northSouth Gateway needs traffic.gateway with pathPrefixes (an HTTPRoute to the port http) or grpcServices (a GRPCRoute to the port grpc), or both; only movie has a preset"
// +kubebuilder:validation:XValidation:rule="size(self.?traffic.?gateway.?parentRefs.orValue([])) > 0 || self.?traffic.?northSouth.orValue('None') != 'Gateway' && self.services.all(s, self.services[s].?traffic.?northSouth.orValue('None') != 'Gateway' || size(self.services[s].traffic.?gateway.?parentRefs.orValue([])) > 0)",message="traffic.northSouth Gateway needs traffic.gateway.parentRefs: the Gateways that the routes attach to"
// +kubebuilder:validation:XValidation:rule="self.services.all(s, self.services[s].?traffic.?eastWest.orValue(self.?traffic.?eastWest.orValue('Replicas')) != 'Consul' || has(self.services[s].bindings) && has(self.services[s].bindings.consul) || has(self.bindings) && has(self.bindings.consul))",message="traffic.eastWest Consul needs bindings.consul.secretRef.name, for the application or the service: the Secret with Consul's address"
// +kubebuilder:validation:XValidation:rule="has(self.tls) == has(oldSelf.tls)",message="tls is chosen when the application is created, since services with it and services without refuse each other: create another MovieApp, or delete this one and create it anew"
// +kubebuilder:validation:XValidation:rule="!has(self.tls) || self.?traffic.?northSouth.orValue('None') != 'Gateway' && self.services.all(s, self.services[s].?traffic.?northSouth.orValue('None') != 'Gateway')",message="tls and traffic.northSouth Gateway cannot be combined: the Gateway would speak to the services without TLS. Leave one out, or write a route and a BackendTLSPolicy of your own to the Service object"
// +kubebuilder:validation:XValidation:rule="!has(self.bindings) || !has(self.bindings.tls)",message="bindings.tls says who one service is: write it in services.<name>.bindings.tls"
// +kubebuilder:validation:XValidation:rule="!has(self.featureFlags) || 'movie' in self.services",message="featureFlags are read by the service movie, which this application does not have: add it to services, or leave featureFlags out"
// +kubebuilder:validation:XValidation:rule="!has(self.featureFlags) || self.featureFlags.all(f, f.matches('^[a-zA-Z][a-zA-Z0-9_-]{0,62}$'))",message="featureFlags must be named by a letter and up to 62 letters, digits, '-' and '_', such as recommendations"
type MovieAppSpec struct {
	// image says where the images come from: <registry>/<service>:<tag>.
	// +required
	Image AppImage `json:"image"`
	// bindings are connections for every service; a service overrides them one by one.
	// +optional
	Bindings *Bindings `json:"bindings,omitempty"`
	// services are the services by name. metadata, rating, auth and movie have presets: ports, storage, migrations
	// and dependsOn. An empty value ({}) takes the preset as it is.
	// +required
	// +kubebuilder:validation:MinProperties=1
	// +kubebuilder:validation:MaxProperties=50
	Services map[string]MovieAppService `json:"services"`
	// rollout is the policy for every service; a service overrides it field by field.
	// +optional
	Rollout *RolloutPolicy `json:"rollout,omitempty"`
	// traffic is the policy for every service; a service overrides it field by field. Through the Gateway are reached
	// those services that name pathPrefixes or grpcServices; movie does by its preset (/v1/movies, movie.v1.MovieService).
	// +optional
	Traffic *TrafficPolicy `json:"traffic,omitempty"`
	// auth lets services ask their callers for tokens: reading is public, metadata is written by editors, and ratings by
	// the users whose they are. Left out, everybody may do everything.
	// +optional
	Auth *AppAuth `json:"auth,omitempty"`
	// tls lets services speak TLS and know each other by certificates. Left out, they speak in the clear. It is chosen when
	// the application is created.
	// +optional
	TLS *AppTLS `json:"tls,omitempty"`
	// featureFlags turn features of movie on and off by name, such as recommendations. The first of them is a new revision of
	// movie, which mounts them; from then on each says how its changes go.
	// +optional
	// +kubebuilder:validation:MaxProperties=50
	FeatureFlags map[string]FeatureFlag `json:"featureFlags,omitempty"`
	// telemetry says what services tell of themselves beside logs and metrics; a service's own config may say otherwise.
	// +optional
	Telemetry *Telemetry `json:"telemetry,omitempty"`
	// ownership says who answers for the application; a service may name its own.
	// +optional
	Ownership *Ownership `json:"ownership,omitempty"`
	// deletionPolicy says what happens to the services when this resource is deleted: Delete removes them in
	// order, Orphan leaves them running. Default Delete.
	// +optional
	DeletionPolicy DeletionPolicy `json:"deletionPolicy,omitempty"`
}

// ServiceSummary is the state of one service in one line.
type ServiceSummary struct {
	// name is the service's name in spec.services.
	Name string `json:"name"`
	// phase repeats the FleetService's phase.
	// +optional
	Phase string `json:"phase,omitempty"`
	// image is the image that serves.
	// +optional
	Image string `json:"image,omitempty"`
	// ready tells ready of wanted pods.
	// +optional
	Ready string `json:"ready,omitempty"`
	// weight is the percentage of requests that was decided for the canary; left out while it has none.
	// +optional
	Weight int32 `json:"weight,omitempty"`
	// message says what the service is waiting for or why it stopped; empty when it serves.
	// +optional
	Message string `json:"message,omitempty"`
}

// MovieAppStatus is what the operator observed and decided.
type MovieAppStatus struct {
	// observedGeneration is the generation of the spec that this status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// conditions are Ready, Reconciling, Stalled (kstatus), Available, BindingsReady, SpecValid and, with tls, CertificatesReady.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// phase is the state in one word: Pending, Starting, Serving, Scaling, Updating, Canary, Paused, Unavailable, TakenBack, Stalled, Deleting.
	// +optional
	Phase string `json:"phase,omitempty"`
	// services is one line for each service.
	// +optional
	// +listType=map
	// +listMapKey=name
	Services []ServiceSummary `json:"services,omitempty"`
	// ready tells how many services are ready, such as 3/3.
	// +optional
	Ready string `json:"ready,omitempty"`
}

// MovieApp is the whole application: its services, their connections and how changes reach users.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=ma,categories=fleet
// +kubebuilder:printcolumn:name="Phase",type=string,JSONPath=`.status.phase`
// +kubebuilder:printcolumn:name="Services",type=string,JSONPath=`.status.ready`
// +kubebuilder:printcolumn:name="Tag",type=string,JSONPath=`.spec.image.tag`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`,priority=1
// +kubebuilder:validation:XValidation:rule="self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",message="metadata.name must start with a letter and hold lower-case letters, digits and '-' only"
// +kubebuilder:validation:XValidation:rule="self.spec.services.all(s, size(self.metadata.name) + size(s) < 40)",message="metadata.name and the service's name together must be shorter than 40 characters: they become the names of Service objects"
type MovieApp struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`
	// spec is the wanted state.
	// +required
	Spec MovieAppSpec `json:"spec"`
	// status is what the operator observed and decided.
	// +optional
	// +kubebuilder:default:={"observedGeneration":-1}
	Status MovieAppStatus `json:"status,omitempty"`
}

// MovieAppList is a list of MovieApps.
//
// +kubebuilder:object:root=true
type MovieAppList struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []MovieApp `json:"items"`
}
