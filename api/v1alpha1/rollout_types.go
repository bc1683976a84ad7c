package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// RolloutPolicy says how a change reaches users.
type RolloutPolicy struct {
	// steps are the percentages of requests that a canary is given one after the other, rising; 100 follows the last.
	// Each but the first is given when its harm is provably bounded. An empty list is blue-green: all requests at
	// once, when every pod is ready. Default [1, 5, 20, 50].
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=10
	// +kubebuilder:validation:items:Minimum=1
	// +kubebuilder:validation:items:Maximum=99
	// +kubebuilder:validation:XValidation:rule="self.all(i, s, i == 0 || self[i-1] < s)",message="must rise from step to step, such as [1, 5, 20, 50]; 100 is implied"
	Steps []int32 `json:"steps,omitzero"`
	// startDeadline is the time in which all pods of a new revision must be ready; after it a revision that
	// failed is taken back. From 10s to 1h. Default 60s.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') && duration(self) >= duration('10s') && duration(self) <= duration('1h')",message="must be a duration from 10s to 1h, such as 60s or 5m"
	StartDeadline *metav1.Duration `json:"startDeadline,omitempty"`
	// minStep is how long each step lasts at least. From 1s to 1h. Default 10s.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') && duration(self) >= duration('1s') && duration(self) <= duration('1h')",message="must be a duration from 1s to 1h, such as 10s or 1m"
	MinStep *metav1.Duration `json:"minStep,omitempty"`
	// maxStepDuration is how long a step may go on without a verdict; then onInconclusive or onNoTraffic decides.
	// From 10s to 24h. Default 10m.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') && duration(self) >= duration('10s') && duration(self) <= duration('24h')",message="must be a duration from 10s to 24h, such as 10m or 2h"
	MaxStepDuration *metav1.Duration `json:"maxStepDuration,omitempty"`
	// onInconclusive says what happens at the end of maxStepDuration when the requests have shown neither harm nor
	// its absence: Pause waits (evidence is still gathered, and a verdict still acts), Promote takes the next step,
	// Rollback takes the canary back without quarantine. Default Pause.
	// +optional
	OnInconclusive InconclusivePolicy `json:"onInconclusive,omitempty"`
	// onNoTraffic says what happens at the end of maxStepDuration when the service had fewer than 50 requests in it:
	// Proceed takes the next step since the pods are healthy, Pause waits. Default Proceed.
	// +optional
	OnNoTraffic NoTrafficPolicy `json:"onNoTraffic,omitempty"`
	// bake is how long the old revision stays warm after the new one has all requests. On a suspicion it takes half
	// of them again and the comparison decides. From 0s to 24h; 0s drains the old revision at once. Default 10m.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') && duration(self) >= duration('0s') && duration(self) <= duration('24h')",message="must be a duration from 0s to 24h, such as 10m or 1h"
	Bake *metav1.Duration `json:"bake,omitempty"`
	// verdict says how sure a verdict must be.
	// +optional
	Verdict *VerdictPolicy `json:"verdict,omitempty"`
	// paused holds the rollout where it is: no step is taken and no new canary begins. A canary that is provably
	// worse is still taken back. Default false.
	// +optional
	Paused *bool `json:"paused,omitempty"`
	// revisionHistoryLimit is how many revisions besides the live ones stay recorded. Default 10.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=50
	RevisionHistoryLimit *int32 `json:"revisionHistoryLimit,omitempty"`
}

// InconclusivePolicy says what happens when a step ends without a verdict.
// +kubebuilder:validation:Enum=Pause;Promote;Rollback
type InconclusivePolicy string

// The policies for a step without a verdict.
const (
	// InconclusivePause: wait for a verdict, a command or a new spec.
	InconclusivePause InconclusivePolicy = "Pause"
	// InconclusivePromote: take the next step.
	InconclusivePromote InconclusivePolicy = "Promote"
	// InconclusiveRollback: take the canary back, without quarantine.
	InconclusiveRollback InconclusivePolicy = "Rollback"
)

// NoTrafficPolicy says what happens when a step ends without requests.
// +kubebuilder:validation:Enum=Proceed;Pause
type NoTrafficPolicy string

// The policies for a step without requests.
const (
	// NoTrafficProceed: the health of the pods decides.
	NoTrafficProceed NoTrafficPolicy = "Proceed"
	// NoTrafficPause: wait for requests, a command or a new spec.
	NoTrafficPause NoTrafficPolicy = "Pause"
)

// VerdictPolicy bounds the probabilities of wrong verdicts. A change of it during a rollout begins a new release.
type VerdictPolicy struct {
	// falseRollback is the largest probability that a release within the tolerance is ever taken back, over all its
	// steps and its bake. From 0.000001 to 0.2. Default "0.01".
	// +optional
	// +kubebuilder:validation:MaxLength=12
	// +kubebuilder:validation:XValidation:rule="self.matches('^[0-9]{1,4}([.][0-9]{1,6})?$') && double(self) >= 0.000001 && double(self) <= 0.2",message="must be a number from 0.000001 to 0.2 as a string, such as \"0.01\""
	FalseRollback string `json:"falseRollback,omitempty"`
	// falsePromote is the largest probability that a bad release is ever given, after its first step, a weight at
	// which it hurts the service. From 0.000001 to 0.2. Default "0.05".
	// +optional
	// +kubebuilder:validation:MaxLength=12
	// +kubebuilder:validation:XValidation:rule="self.matches('^[0-9]{1,4}([.][0-9]{1,6})?$') && double(self) >= 0.000001 && double(self) <= 0.2",message="must be a number from 0.000001 to 0.2 as a string, such as \"0.05\""
	FalsePromote string `json:"falsePromote,omitempty"`
	// tolerance is how many times the stable revision's odds of a bad answer the canary's may be. Odds, not rates:
	// 1.5 allows 0.15 % against 0.1 %, but 39 % against 30 %. From 1 to 100. Default "1.5".
	// +optional
	// +kubebuilder:validation:MaxLength=12
	// +kubebuilder:validation:XValidation:rule="self.matches('^[0-9]{1,4}([.][0-9]{1,6})?$') && double(self) >= 1.0 && double(self) <= 100.0",message="must be a number from 1.0 to 100.0 as a string, such as \"1.5\""
	Tolerance string `json:"tolerance,omitempty"`
}

// Objectives say how good a service's answers must be.
type Objectives struct {
	// errorPercent is the share of requests that may fail (UNKNOWN, DEADLINE_EXCEEDED, INTERNAL, UNAVAILABLE,
	// UNIMPLEMENTED, DATA_LOSS; HTTP 5xx), in percent. From 0.001 to 50. Default "1".
	// +optional
	// +kubebuilder:validation:MaxLength=12
	// +kubebuilder:validation:XValidation:rule="self.matches('^[0-9]{1,4}([.][0-9]{1,6})?$') && double(self) >= 0.001 && double(self) <= 50.0",message="must be a number from 0.001 to 50.0 as a string, such as \"0.5\""
	ErrorPercent string `json:"errorPercent,omitempty"`
	// refusalPercent is the share of requests that may be refused as the caller's fault (NOT_FOUND,
	// INVALID_ARGUMENT, UNAUTHENTICATED …; HTTP 4xx), in percent, where it cannot be compared with the stable
	// revision's. From 0.001 to 50. Default "5".
	// +optional
	// +kubebuilder:validation:MaxLength=12
	// +kubebuilder:validation:XValidation:rule="self.matches('^[0-9]{1,4}([.][0-9]{1,6})?$') && double(self) >= 0.001 && double(self) <= 50.0",message="must be a number from 0.001 to 50.0 as a string, such as \"5\""
	RefusalPercent string `json:"refusalPercent,omitempty"`
	// latency says how fast answers must be. Without it slow answers are not judged.
	// +optional
	Latency *LatencyObjective `json:"latency,omitempty"`
}

// LatencyObjective says how many answers must be given within a bound.
type LatencyObjective struct {
	// boundMilliseconds is the bound. It must be a bucket of the service's histogram; else ObjectivesValid is False.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=600000
	BoundMilliseconds int32 `json:"boundMilliseconds"`
	// percent is the share of answers that must be given within the bound, in percent. From 50 to 99.999. Default "99".
	// +optional
	// +kubebuilder:validation:MaxLength=12
	// +kubebuilder:validation:XValidation:rule="self.matches('^[0-9]{1,4}([.][0-9]{1,6})?$') && double(self) >= 50.0 && double(self) <= 99.999",message="must be a number from 50.0 to 99.999 as a string, such as \"99.5\""
	Percent string `json:"percent,omitempty"`
}

// TrafficPolicy says through what requests reach the revisions of a service.
type TrafficPolicy struct {
	// eastWest is what splits the calls of other services: Consul (by service-splitter; needs bindings.consul) or
	// Replicas (by the number of pods behind the Service object, which needs nothing but splits coarsely). Default
	// Consul where there is a binding consul, else Replicas.
	// +optional
	// +kubebuilder:validation:Enum=Consul;Replicas
	EastWest EastWest `json:"eastWest,omitempty"`
	// northSouth is what splits the requests that enter the cluster: None or Gateway (routes of the Gateway API).
	// Default None. Both weights move together.
	// +optional
	// +kubebuilder:validation:Enum=None;Gateway
	NorthSouth NorthSouth `json:"northSouth,omitempty"`
	// gateway says which requests of which Gateway are the service's. The operator owns the routes made from it.
	// +optional
	Gateway *GatewayTraffic `json:"gateway,omitempty"`
}

// EastWest names what splits calls between services.
type EastWest string

// What splits calls between services.
const (
	EastWestConsul   EastWest = "Consul"
	EastWestReplicas EastWest = "Replicas"
)

// NorthSouth names what splits requests from outside.
type NorthSouth string

// What splits requests from outside.
const (
	NorthSouthNone    NorthSouth = "None"
	NorthSouthGateway NorthSouth = "Gateway"
)

// GatewayTraffic is what the routes of a service are made from.
type GatewayTraffic struct {
	// parentRefs are the Gateways that the routes attach to; northSouth Gateway needs at least one.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=4
	ParentRefs []GatewayReference `json:"parentRefs,omitempty"`
	// hostnames restrict the routes to these names. Default: all that the Gateway's listeners take.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MaxLength=253
	// +kubebuilder:validation:items:XValidation:rule="self.matches('^([*][.])?[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",message="must be a host name in lower case, such as movies.example.com or *.example.com"
	Hostnames []string `json:"hostnames,omitempty"`
	// pathPrefixes are the paths of the service's REST API, such as /v1/movies; they make an HTTPRoute.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MaxLength=256
	// +kubebuilder:validation:items:XValidation:rule="self.matches('^/[A-Za-z0-9._~/-]*$')",message="must be a path, such as /v1/movies: it starts with '/' and holds letters, digits and '._~/-' only"
	PathPrefixes []string `json:"pathPrefixes,omitempty"`
	// grpcServices are the full names of the service's gRPC services, such as movie.v1.MovieService; they make a GRPCRoute.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MaxLength=256
	// +kubebuilder:validation:items:XValidation:rule="self.matches('^[A-Za-z_][A-Za-z0-9_]*([.][A-Za-z_][A-Za-z0-9_]*)*$')",message="must be the full name of a gRPC service, such as movie.v1.MovieService"
	GRPCServices []string `json:"grpcServices,omitempty"`
}

// GatewayReference names a Gateway of the Gateway API.
type GatewayReference struct {
	// name is the Gateway's name.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// namespace is the Gateway's namespace. Default the resource's own.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace,omitempty"`
	// sectionName is the listener's name. Default: every listener that allows the route.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	SectionName string `json:"sectionName,omitempty"`
}

// SignalPolicy says where the health of a revision is read.
type SignalPolicy struct {
	// interval is the time between two readings of the counters during a rollout. From 500ms to 30s. Default 1s.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') && duration(self) >= duration('500ms') && duration(self) <= duration('30s')",message="must be a duration from 500ms to 30s, such as 1s or 5s"
	Interval *metav1.Duration `json:"interval,omitempty"`
	// metrics says which metrics of the pods mean what. Default: those of grpc-go's middleware and of common HTTP
	// middleware.
	// +optional
	Metrics *MetricsMeaning `json:"metrics,omitempty"`
	// prometheus are queries with a bound, asked during a rollout.
	// +optional
	Prometheus *PrometheusSignal `json:"prometheus,omitempty"`
	// webhooks are asked during a rollout; each can hold it or take the canary back.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=8
	Webhooks []Webhook `json:"webhooks,omitempty"`
}

// MetricsMeaning says which metrics of a pod's page mean what.
type MetricsMeaning struct {
	// path is the page of metrics on the port admin. Default /metrics.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:XValidation:rule="self.matches('^/[A-Za-z0-9._~/-]*$')",message="must be a path, such as /metrics: it starts with '/' and holds letters, digits and '._~/-' only"
	Path string `json:"path,omitempty"`
	// requests are the counters of answers by code. Default grpc_server_handled_total by grpc_code and
	// http_requests_total by code.
	// +optional
	// +listType=map
	// +listMapKey=counter
	// +kubebuilder:validation:MaxItems=4
	Requests []RequestCounter `json:"requests,omitempty"`
	// durations is the histogram of the time to an answer, in seconds. Default grpc_server_handling_seconds, or
	// http_request_duration_seconds where that is there.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-zA-Z_:][a-zA-Z0-9_:]*$')",message="must be the name of a metric, such as http_requests_total"
	Durations string `json:"durations,omitempty"`
}

// RequestCounter is a counter of answers with their code in a label.
type RequestCounter struct {
	// counter is the metric's name.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-zA-Z_:][a-zA-Z0-9_:]*$')",message="must be the name of a metric, such as http_requests_total"
	Counter string `json:"counter"`
	// codeLabel is the label that holds the code. Default code.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-zA-Z_][a-zA-Z0-9_]*$')",message="must be the name of a label, such as code"
	CodeLabel string `json:"codeLabel,omitempty"`
	// errors are the codes of failures; a final * stands for any ending, such as 5*.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MaxLength=64
	Errors []string `json:"errors"`
	// refusals are the codes of requests refused as the caller's fault; a final * stands for any ending, such as 4*.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MaxLength=64
	Refusals []string `json:"refusals,omitempty"`
}

// PrometheusSignal are queries to a Prometheus server.
type PrometheusSignal struct {
	// url is the server's address, such as http://prometheus.monitoring:9090.
	// +required
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self.matches('^https?://[^ ]+$')",message="must be an address that starts with http:// or https:// and has no spaces"
	URL string `json:"url"`
	// queries are asked one after the other.
	// +required
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	Queries []PrometheusQuery `json:"queries"`
}

// PrometheusQuery is a query whose value must stay within a bound.
type PrometheusQuery struct {
	// name says what is asked, in status and events.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="must be lower-case letters, digits and '-', such as error-rate"
	Name string `json:"name"`
	// query is PromQL with one number as its value. $namespace, $service, $canary and $stable stand for the names
	// and revisions.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	Query string `json:"query"`
	// max is the largest value that is good. A larger one at three askings in a row takes the canary back; no answer
	// holds the rollout.
	// +required
	// +kubebuilder:validation:MaxLength=24
	// +kubebuilder:validation:XValidation:rule="self.matches('^-?[0-9]{1,15}([.][0-9]{1,6})?$')",message="must be a number as a string, such as \"0.05\""
	Max string `json:"max"`
}

// Webhook is a service of the user's that has a say in rollouts.
type Webhook struct {
	// name says who is asked, in status and events.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="must be lower-case letters, digits and '-', such as error-rate"
	Name string `json:"name"`
	// url is called by POST with the rollout as JSON and answers {"verdict": "pass" | "wait" | "fail", "message": …}.
	// The operator's administrator must allow its host (flag --webhook-hosts).
	// +required
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self.matches('^https?://[^ ]+$')",message="must be an address that starts with http:// or https:// and has no spaces"
	URL string `json:"url"`
	// secretKeyRef is the key with which the call is signed: header Fleet-Signature is the hex HMAC-SHA256 of the
	// header Fleet-Timestamp (seconds since 1970), a dot and the body.
	// +required
	SecretKeyRef SecretKeyReference `json:"secretKeyRef"`
}
