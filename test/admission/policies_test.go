//go:build envtest

package admission_test

import (
	"fmt"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const (
	durationFrom = "must be a duration from "
	numberFrom   = "must be a number from "
	needsParents = "traffic.northSouth Gateway needs traffic.gateway.parentRefs: the Gateways that the routes attach to"
)

// policyMistakes are wrong in the same way in a FleetService and in each service of a MovieApp.
var policyMistakes = map[string]mistake{
	"unknown field of a rollout":  {`{rollout: {step: [1]}}`, `rollout.step"`},
	"steps that fall":             {`{rollout: {steps: [5, 1]}}`, `must rise from step to step, such as [1, 5, 20, 50]; 100 is implied`},
	"a step twice":                {`{rollout: {steps: [1, 5, 5]}}`, `must rise from step to step`},
	"step 100":                    {`{rollout: {steps: [50, 100]}}`, `rollout.steps[1] in body should be less than or equal to 99`},
	"step 0":                      {`{rollout: {steps: [0, 50]}}`, `rollout.steps[0] in body should be greater than or equal to 1`},
	"step of a part of a percent": {`{rollout: {steps: [0.5]}}`, `rollout.steps[0] in body must be of type int32: "float64"`},
	"step as text":                {`{rollout: {steps: ["5%"]}}`, `rollout.steps[0] in body must be of type integer: "string"`},
	"too many steps":              {`{rollout: {steps: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]}}`, `rollout.steps: Too many: 11: must have at most 10 items`},
	"steps a number":              {`{rollout: {steps: 5}}`, `rollout.steps in body must be of type array: "integer"`},
	"deadline too short":          {`{rollout: {startDeadline: 9s}}`, durationFrom + `10s to 1h, such as 60s or 5m`},
	"minStep too short":           {`{rollout: {minStep: 999ms}}`, durationFrom + `1s to 1h, such as 10s or 1m`},
	"minStep without unit":        {`{rollout: {minStep: "10"}}`, durationFrom + `1s to 1h`},
	"minStep a number":            {`{rollout: {minStep: 10}}`, `rollout.minStep in body must be of type string: "integer"`},
	"minStep in days":             {`{rollout: {minStep: 1d}}`, durationFrom + `1s to 1h`},
	"maxStepDuration too long":    {`{rollout: {maxStepDuration: 25h}}`, durationFrom + `10s to 24h, such as 10m or 2h`},
	"maxStepDuration negative":    {`{rollout: {maxStepDuration: -10m}}`, durationFrom + `10s to 24h`},
	"bake too long":               {`{rollout: {bake: 24h1s}}`, durationFrom + `0s to 24h, such as 10m or 1h`},
	"bake zero without unit":      {`{rollout: {bake: "0"}}`, durationFrom + `0s to 24h`},
	"unknown onInconclusive":      {`{rollout: {onInconclusive: Wait}}`, `Unsupported value: "Wait": supported values: "Pause", "Promote", "Rollback"`},
	"unknown onNoTraffic":         {`{rollout: {onNoTraffic: Rollback}}`, `Unsupported value: "Rollback": supported values: "Proceed", "Pause"`},
	"paused a word":               {`{rollout: {paused: "yes"}}`, `rollout.paused in body must be of type boolean: "string"`},
	"falseRollback in percent":    {`{rollout: {verdict: {falseRollback: "1%"}}}`, numberFrom + `0.000001 to 0.2 as a string, such as "0.01"`},
	"falseRollback negative":      {`{rollout: {verdict: {falseRollback: "-1"}}}`, numberFrom + `0.000001 to 0.2`},
	"falseRollback 0":             {`{rollout: {verdict: {falseRollback: "0"}}}`, numberFrom + `0.000001 to 0.2`},
	"falseRollback 1":             {`{rollout: {verdict: {falseRollback: "1"}}}`, numberFrom + `0.000001 to 0.2`},
	"falseRollback a number":      {`{rollout: {verdict: {falseRollback: 0.01}}}`, `verdict.falseRollback in body must be of type string: "number"`},
	"falsePromote with exponent":  {`{rollout: {verdict: {falsePromote: "5e-2"}}}`, numberFrom + `0.000001 to 0.2 as a string, such as "0.05"`},
	"tolerance below 1":           {`{rollout: {verdict: {tolerance: "0.9"}}}`, numberFrom + `1.0 to 100.0 as a string, such as "1.5"`},
	"tolerance with a comma":      {`{rollout: {verdict: {tolerance: "1,5"}}}`, numberFrom + `1.0 to 100.0`},
	"tolerance without bounds":    {`{rollout: {verdict: {tolerance: "101"}}}`, numberFrom + `1.0 to 100.0`},

	"errorPercent with a sign":      {`{objectives: {errorPercent: "1%"}}`, numberFrom + `0.001 to 50.0 as a string, such as "0.5"`},
	"errorPercent 0":                {`{objectives: {errorPercent: "0"}}`, numberFrom + `0.001 to 50.0`},
	"errorPercent over 50":          {`{objectives: {errorPercent: "50.1"}}`, numberFrom + `0.001 to 50.0`},
	"refusalPercent negative":       {`{objectives: {refusalPercent: "-5"}}`, numberFrom + `0.001 to 50.0 as a string, such as "5"`},
	"latency without bound":         {`{objectives: {latency: {percent: "99"}}}`, `objectives.latency.boundMilliseconds: Required value`},
	"latency as a duration":         {`{objectives: {latency: {boundMilliseconds: 100ms}}}`, `latency.boundMilliseconds in body must be of type integer: "string"`},
	"latency bound 0":               {`{objectives: {latency: {boundMilliseconds: 0}}}`, `latency.boundMilliseconds in body should be greater than or equal to 1`},
	"latency for all answers":       {`{objectives: {latency: {boundMilliseconds: 100, percent: "100"}}}`, numberFrom + `50.0 to 99.999 as a string, such as "99.5"`},
	"latency as a fraction":         {`{objectives: {latency: {boundMilliseconds: 100, percent: "0.99"}}}`, numberFrom + `50.0 to 99.999`},
	"unknown eastWest":              {`{traffic: {eastWest: Istio}}`, `Unsupported value: "Istio": supported values: "Consul", "Replicas"`},
	"unknown northSouth":            {`{traffic: {northSouth: Ingress}}`, `Unsupported value: "Ingress": supported values: "None", "Gateway"`},
	"Gateway without parentRefs":    {`{traffic: {northSouth: Gateway, gateway: {pathPrefixes: [/v1]}}}`, needsParents},
	"Gateway without anything":      {`{traffic: {northSouth: Gateway}}`, needsParents},
	"Gateway without paths":         {`{traffic: {northSouth: Gateway, gateway: {parentRefs: [{name: edge}]}}}`, `needs traffic.gateway with pathPrefixes (an HTTPRoute to the port http) or grpcServices (a GRPCRoute to the port grpc), or both`},
	"parentRefs empty":              {`{traffic: {gateway: {parentRefs: []}}}`, `gateway.parentRefs in body should have at least 1 items`},
	"parent without name":           {`{traffic: {gateway: {parentRefs: [{namespace: edge}]}}}`, `gateway.parentRefs[0].name: Required value`},
	"path without slash":            {`{traffic: {gateway: {pathPrefixes: [v1]}}}`, `gateway.pathPrefixes[0]: Invalid value: "v1": must be a path, such as /v1/movies`},
	"path with a query":             {`{traffic: {gateway: {pathPrefixes: ["/v1?x=1"]}}}`, `gateway.pathPrefixes[0]: Invalid value: "/v1?x=1": must be a path`},
	"gRPC service as a path":        {`{traffic: {gateway: {grpcServices: [/rating.v1.RatingService]}}}`, `must be the full name of a gRPC service, such as movie.v1.MovieService`},
	"hostname with a port":          {`{traffic: {gateway: {hostnames: ["movies.example.com:443"]}}}`, `must be a host name in lower case, such as movies.example.com or *.example.com`},
	"interval too short":            {`{signals: {interval: 100ms}}`, durationFrom + `500ms to 30s, such as 1s or 5s`},
	"interval too long":             {`{signals: {interval: 1m}}`, durationFrom + `500ms to 30s`},
	"page of metrics as a URL":      {`{signals: {metrics: {path: "http://x/metrics"}}}`, `must be a path, such as /metrics`},
	"counter without errors":        {`{signals: {metrics: {requests: [{counter: c}]}}}`, `signals.metrics.requests[0].errors: Required value`},
	"counter with no error codes":   {`{signals: {metrics: {requests: [{counter: c, errors: []}]}}}`, `requests[0].errors in body should have at least 1 items`},
	"counter with a dash":           {`{signals: {metrics: {requests: [{counter: http-requests, errors: [5*]}]}}}`, `signals.metrics.requests[0].counter: Invalid value: "http-requests": must be the name of a metric, such as http_requests_total`},
	"label of codes with a dash":    {`{signals: {metrics: {requests: [{counter: c, codeLabel: http-code, errors: [5*]}]}}}`, `must be the name of a label, such as code`},
	"durations with a space":        {`{signals: {metrics: {durations: "request seconds"}}}`, `must be the name of a metric`},
	"counter twice":                 {`{signals: {metrics: {requests: [{counter: c, errors: [5*]}, {counter: c, errors: [4*]}]}}}`, `signals.metrics.requests[1]: Duplicate value`},
	"Prometheus without queries":    {`{signals: {prometheus: {url: "http://p:9090"}}}`, `signals.prometheus.queries: Required value`},
	"Prometheus without scheme":     {`{signals: {prometheus: {url: "p:9090", queries: [{name: q, query: up, max: "1"}]}}}`, `signals.prometheus.url: Invalid value: "p:9090": must be an address that starts with http:// or https://`},
	"query without bound":           {`{signals: {prometheus: {url: "http://p:9090", queries: [{name: q, query: up}]}}}`, `signals.prometheus.queries[0].max: Required value`},
	"query with a bound in words":   {`{signals: {prometheus: {url: "http://p:9090", queries: [{name: q, query: up, max: "5%"}]}}}`, `must be a number as a string, such as "0.05"`},
	"query with a bound NaN":        {`{signals: {prometheus: {url: "http://p:9090", queries: [{name: q, query: up, max: NaN}]}}}`, `must be a number as a string`},
	"query without text":            {`{signals: {prometheus: {url: "http://p:9090", queries: [{name: q, query: "", max: "1"}]}}}`, `queries[0].query in body should be at least 1 chars long`},
	"query with capitals":           {`{signals: {prometheus: {url: "http://p:9090", queries: [{name: Errors, query: up, max: "1"}]}}}`, `queries[0].name: Invalid value: "Errors": must be lower-case letters, digits and '-', such as error-rate`},
	"query twice":                   {`{signals: {prometheus: {url: "http://p:9090", queries: [{name: q, query: up, max: "1"}, {name: q, query: up, max: "2"}]}}}`, `signals.prometheus.queries[1]: Duplicate value`},
	"webhook without secret":        {`{signals: {webhooks: [{name: smoke, url: "https://smoke"}]}}`, `signals.webhooks[0].secretKeyRef: Required value`},
	"webhook without key":           {`{signals: {webhooks: [{name: smoke, url: "https://smoke", secretKeyRef: {name: s}}]}}`, `signals.webhooks[0].secretKeyRef.key: Required value`},
	"webhook at no URL":             {`{signals: {webhooks: [{name: smoke, url: smoke, secretKeyRef: {name: s, key: k}}]}}`, `signals.webhooks[0].url: Invalid value: "smoke": must be an address that starts with http:// or https://`},
	"webhook at a file":             {`{signals: {webhooks: [{name: smoke, url: "file:///etc/passwd", secretKeyRef: {name: s, key: k}}]}}`, `signals.webhooks[0].url: Invalid value: "file:///etc/passwd": must be an address that starts with http:// or https://`},
	"webhook without name":          {`{signals: {webhooks: [{url: "https://smoke", secretKeyRef: {name: s, key: k}}]}}`, `signals.webhooks[0].name: Required value`},
	"webhook twice":                 {`{signals: {webhooks: [{name: a, url: "https://a", secretKeyRef: {name: s, key: k}}, {name: a, url: "https://b", secretKeyRef: {name: s, key: k}}]}}`, `signals.webhooks[1]: Duplicate value`},
	"negative history of revisions": {`{rollout: {revisionHistoryLimit: -1}}`, `revisionHistoryLimit in body should be greater than or equal to 0`},
}

func TestPolicyMistakesOfFleetServices(t *testing.T) {
	refuseAll(t, goodFleetService, within("{spec: ", "}", policyMistakes, map[string]mistake{
		"Consul without a binding": {`{traffic: {eastWest: Consul}}`, `traffic.eastWest Consul needs bindings.consul.secretRef.name: the Secret with Consul's address`},
	}))
}

func TestPolicyMistakesOfServices(t *testing.T) {
	refuseAll(t, goodMovieApp, within("{spec: {services: {rating: ", "}}}", policyMistakes))
}

func TestPolicyMistakesOfMovieApps(t *testing.T) {
	refuseAll(t, goodMovieApp, within("{spec: ", "}", map[string]mistake{
		"steps that fall":                      {`{rollout: {steps: [5, 1]}}`, `must rise from step to step, such as [1, 5, 20, 50]; 100 is implied`},
		"falseRollback in percent":             {`{rollout: {verdict: {falseRollback: "1%"}}}`, numberFrom + `0.000001 to 0.2`},
		"Gateway without parentRefs":           {`{traffic: {northSouth: Gateway}}`, needsParents},
		"paths for the whole application":      {`{traffic: {northSouth: Gateway, gateway: {parentRefs: [{name: edge}], pathPrefixes: [/v1]}}}`, `traffic.gateway.pathPrefixes and grpcServices belong to one service: write them in services.<name>.traffic.gateway`},
		"gRPC services for all":                {`{traffic: {gateway: {grpcServices: [movie.v1.MovieService]}}}`, `traffic.gateway.pathPrefixes and grpcServices belong to one service`},
		"movie at no Gateway":                  {`{services: {movie: {traffic: {northSouth: Gateway}}}}`, needsParents},
		"a service for the Gateway, no paths":  {`{traffic: {gateway: {parentRefs: [{name: edge}]}}, services: {rating: {traffic: {northSouth: Gateway}}}}`, `a service with traffic.northSouth Gateway needs traffic.gateway with pathPrefixes`},
		"Consul for all, bound by one":         {`{bindings: null, services: {movie: {bindings: {consul: {secretRef: {name: c}}}}}, traffic: {eastWest: Consul}}`, `traffic.eastWest Consul needs bindings.consul.secretRef.name, for the application or the service`},
		"Consul for one that is not bound":     {`{bindings: null, services: {movie: {traffic: {eastWest: Consul}}}}`, `traffic.eastWest Consul needs bindings.consul.secretRef.name`},
		"objectives for the whole application": {`{objectives: {errorPercent: "1"}}`, `unknown field "spec.objectives"`},
	}))
}

// within are mistakes whose changes stand inside a part of the resource.
func within(before, after string, all ...map[string]mistake) map[string]mistake {
	out := map[string]mistake{}
	for _, mistakes := range all {
		for name, m := range mistakes {
			out[name] = mistake{before + m.change + after, m.want}
		}
	}
	return out
}

// everyPolicy sets each field of every policy.
const everyPolicy = `{
  rollout: {steps: [1, 5, 20, 50, 99], startDeadline: 1m30s, minStep: 1s, maxStepDuration: 24h, onInconclusive: Rollback, onNoTraffic: Pause,
    bake: 0s, verdict: {falseRollback: "0.000001", falsePromote: "0.2", tolerance: "1"}, paused: true, revisionHistoryLimit: 0},
  objectives: {errorPercent: "0.001", refusalPercent: "50", latency: {boundMilliseconds: 600000, percent: "99.999"}},
  traffic: {eastWest: Replicas, northSouth: Gateway, gateway: {parentRefs: [{name: edge, namespace: ingress, sectionName: https}],
    hostnames: [movies.example.com, "*.example.org"], pathPrefixes: [/, /v1/ratings], grpcServices: [rating.v1.RatingService]}},
  signals: {interval: 500ms,
    metrics: {path: /internal/metrics, durations: "app:request_seconds", requests: [
      {counter: grpc_server_handled_total, codeLabel: grpc_code, errors: [Internal, Unavailable], refusals: [NotFound]},
      {counter: http_requests_total, errors: ["5*"]}]},
    prometheus: {url: "http://prometheus.monitoring:9090", queries: [{name: queue, query: 'max(queue{service="$service"})', max: "-0.5"}]},
    webhooks: [{name: smoke, url: "https://smoke.example.com/check", secretKeyRef: {name: smoke, key: token}}]}}`

func TestPoliciesAccepted(t *testing.T) {
	good := map[string]acceptable{
		"every field of a FleetService":     {goodFleetService, `{spec: ` + everyPolicy + `}`},
		"every field of a service":          {goodMovieApp, `{spec: {services: {rating: ` + everyPolicy + `}}}`},
		"blue-green":                        {goodFleetService, `{spec: {rollout: {steps: []}}}`},
		"blue-green for all":                {goodMovieApp, `{spec: {rollout: {steps: [], bake: 1h}}}`},
		"one step":                          {goodFleetService, `{spec: {rollout: {steps: [99]}}}`},
		"nothing in any policy":             {goodFleetService, `{spec: {rollout: {}, objectives: {}, traffic: {}, signals: {}}}`},
		"Consul, bound":                     {goodFleetService, `{spec: {bindings: {consul: {secretRef: {name: c}}}, traffic: {eastWest: Consul}}}`},
		"Consul for all, bound":             {goodMovieApp, `{spec: {traffic: {eastWest: Consul}}}`},
		"Consul for all, but one":           {goodMovieApp, `{spec: {bindings: null, traffic: {eastWest: Replicas}, services: {rating: {bindings: {consul: {secretRef: {name: c}}}, traffic: {eastWest: Consul}}}}}`},
		"Gateway prepared, not used":        {goodFleetService, `{spec: {traffic: {northSouth: None, gateway: {parentRefs: [{name: edge}]}}}}`},
		"the Gateway for all":               {goodMovieApp, `{spec: {traffic: {northSouth: Gateway, gateway: {parentRefs: [{name: edge}], hostnames: [movies.example.com]}}}}`},
		"the Gateway for movie alone":       {goodMovieApp, `{spec: {services: {movie: {traffic: {northSouth: Gateway, gateway: {parentRefs: [{name: edge}]}}}}}}`},
		"the application's Gateway for one": {goodMovieApp, `{spec: {traffic: {gateway: {parentRefs: [{name: edge}]}}, services: {rating: {traffic: {northSouth: Gateway, gateway: {grpcServices: [rating.v1.RatingService]}}}}}}`},
		"a service's own paths":             {goodMovieApp, `{spec: {traffic: {northSouth: Gateway, gateway: {parentRefs: [{name: edge}]}}, services: {rating: {traffic: {gateway: {pathPrefixes: [/v1/ratings]}}}}}}`},
	}
	acceptAll(t, good)
}

// TestFullestMovieApp: fifty services with every policy stay within what the API server spends on rules.
func TestFullestMovieApp(t *testing.T) {
	obj := changed(t, goodMovieApp, `{spec: {traffic: {gateway: {parentRefs: [{name: edge}]}}}}`)
	services, found, err := unstructured.NestedMap(obj.Object, "spec", "services")
	if err != nil || !found {
		t.Fatalf("spec.services = found %v, error %v", found, err)
	}
	for i := len(services); i < 50; i++ {
		services[fmt.Sprintf("s%d", i)] = changed(t, everyPolicy, `{}`).Object
	}
	if err := unstructured.SetNestedMap(obj.Object, services, "spec", "services"); err != nil {
		t.Fatal(err)
	}
	c := server.Client(t)
	if err := c.Create(t.Context(), obj, strict); err != nil {
		t.Fatalf("create = %v, want accepted", err)
	}
	if err := c.Delete(t.Context(), obj); err != nil {
		t.Error(err)
	}
}
