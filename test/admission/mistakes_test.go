//go:build envtest

package admission_test

import (
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

const goodMovieApp = `
apiVersion: fleet.movieexample.com/v1alpha1
kind: MovieApp
metadata: {name: movies, namespace: default}
spec:
  image: {registry: ghcr.io/movieexample, tag: "1.4.0"}
  bindings: {consul: {secretRef: {name: movies-consul}}}
  services:
    metadata: {replicas: 3, bindings: {mysql: {secretRef: {name: metadata-mysql}}}}
    rating: {replicas: 3, bindings: {mysql: {secretRef: {name: rating-mysql}}}}
    movie: {replicas: 3}
  ownership: {accountable: movies@example.com}
`

const goodFleetService = `
apiVersion: fleet.movieexample.com/v1alpha1
kind: FleetService
metadata: {name: rating, namespace: default}
spec:
  image: ghcr.io/movieexample/rating:1.4.0
  storage: MySQL
  bindings: {mysql: {secretRef: {name: rating-mysql}}}
`

// mistake is a change that makes a good resource wrong, in the form of a JSON merge patch, and what the user reads.
type mistake struct {
	change string
	want   string
}

var movieAppMistakes = map[string]mistake{
	"unknown field":                 {`{spec: {servces: {}}}`, `unknown field "spec.servces"`},
	"unknown field of a service":    {`{spec: {services: {rating: {replica: 3}}}}`, `unknown field "spec.services.rating.replica"`},
	"wrong type":                    {`{spec: {services: {rating: {replicas: three}}}}`, `spec.services.rating.replicas in body must be of type integer: "string"`},
	"negative replicas":             {`{spec: {services: {rating: {replicas: -1}}}}`, `spec.services.rating.replicas in body should be greater than or equal to 0`},
	"no services":                   {`{spec: {services: null}}`, `spec.services: Required value`},
	"empty services":                {`{spec: {services: {metadata: null, rating: null, movie: null}}}`, `spec.services in body should have at least 1 properties`},
	"service name of capitals":      {`{spec: {services: {Rating2: {}}}}`, `service names must start with a letter and hold lower-case letters, digits and '-' only`},
	"name too long with service":    {`{metadata: {name: the-movie-application-of-the-whole-company}}`, `metadata.name and the service's name together must be shorter than 40 characters`},
	"name starts with a digit":      {`{metadata: {name: 1movies}}`, `metadata.name must start with a letter`},
	"no image":                      {`{spec: {image: null}}`, `spec.image: Required value`},
	"no tag":                        {`{spec: {image: {tag: null}}}`, `spec.image.tag: Required value`},
	"tag with a space":              {`{spec: {image: {tag: "1.4 0"}}}`, `must be an image tag: letters, digits, '_', '.' and '-'`},
	"tag a number":                  {`{spec: {image: {tag: 1.4}}}`, `spec.image.tag in body must be of type string: "number"`},
	"registry with a tag":           {`{spec: {image: {registry: "ghcr.io/movieexample:v1"}}}`, `must be a registry with an optional path in lower case and no tag`},
	"registry a URL":                {`{spec: {image: {registry: "https://ghcr.io/movieexample"}}}`, `must be a registry with an optional path in lower case and no tag`},
	"tag and digest":                {`{spec: {services: {rating: {image: {tag: v2, digest: "sha256:` + digest + `"}}}}}`, `give either tag or digest, not both`},
	"short digest":                  {`{spec: {services: {rating: {image: {digest: "sha256:12"}}}}}`, `must be sha256: and 64 hexadecimal digits`},
	"image name with a path":        {`{spec: {services: {rating: {image: {name: a/b}}}}}`, `must be the last part of an image's name`},
	"MySQL without binding":         {`{spec: {services: {metadata: {bindings: null}}}}`, `a service with storage MySQL (the preset of metadata, rating and auth) needs bindings.mysql.secretRef.name`},
	"auth without a service auth":   {`{spec: {auth: {}}}`, `auth needs the service auth, which issues the tokens: add it to services`},
	"auth without a database":       {`{spec: {services: {auth: {}}}}`, `a service with storage MySQL (the preset of metadata, rating and auth) needs bindings.mysql.secretRef.name`},
	"keys that turn too fast":       {`{spec: {auth: {keyRotation: 1m}, services: {auth: {bindings: {mysql: {secretRef: {name: a}}}}}}}`, `must be from 1h to 87600h`},
	"collector without a port":      {`{spec: {telemetry: {traces: {endpoint: "http://collector"}}}}`, `must be http://host:port or https://host:port of an OTLP collector`},
	"ratio above one":               {`{spec: {telemetry: {traces: {endpoint: "http://collector:4317", ratio: "1.5"}}}}`, `must be a number from 0 to 1 as a string`},
	"replicas and autoscaling":      {`{spec: {services: {rating: {autoscaling: {maxReplicas: 3}}}}}`, `replicas is what autoscaling chooses: leave one of the two out`},
	"Memory with three replicas":    {`{spec: {services: {rating: {storage: Memory}}}}`, `storage Memory is lost with the pod and not shared: it needs replicas 1`},
	"unknown storage":               {`{spec: {services: {rating: {storage: Postgres}}}}`, `Unsupported value: "Postgres": supported values: "None", "MySQL", "Memory"`},
	"storage None for data":         {`{spec: {services: {rating: {storage: None, migrations: null}}}}`, `metadata, rating and auth keep data: their storage is MySQL or Memory, not None`},
	"migrations without database":   {`{spec: {services: {movie: {migrations: {args: [migrate]}}}}}`, `migrations need storage MySQL`},
	"files of rating":               {`{spec: {services: {rating: {files: {claimName: uploads}}}}}`, `metadata, rating and auth keep no files: files is for movie, or for a service of your own`},
	"files nowhere":                 {`{spec: {services: {movie: {files: {claimName: /data}}}}}`, `must be the name of a PersistentVolumeClaim: lower-case letters, digits, '-' and '.'`},
	"equal ports":                   {`{spec: {services: {rating: {ports: {grpc: 9000, admin: 9000}}}}}`, `grpc, http and admin must be three different ports`},
	"privileged port":               {`{spec: {services: {rating: {ports: {grpc: 80}}}}}`, `spec.services.rating.ports.grpc in body should be greater than or equal to 1024`},
	"deadline without unit":         {`{spec: {rollout: {startDeadline: "60"}}}`, `must be a duration from 10s to 1h, such as 60s or 5m`},
	"deadline a number":             {`{spec: {rollout: {startDeadline: 60}}}`, `spec.rollout.startDeadline in body must be of type string: "integer"`},
	"deadline too long":             {`{spec: {services: {rating: {rollout: {startDeadline: 2h}}}}}`, `must be a duration from 10s to 1h, such as 60s or 5m`},
	"depends on an unknown service": {`{spec: {services: {movie: {dependsOn: [ratings]}}}}`, `dependsOn may only name services of this application`},
	"depends on itself":             {`{spec: {services: {movie: {dependsOn: [movie]}}}}`, `a service cannot depend on itself`},
	"depends on one twice":          {`{spec: {services: {movie: {dependsOn: [rating, rating]}}}}`, `spec.services[movie].dependsOn[1]: Duplicate value: "rating"`},
	"no ownership":                  {`{spec: {ownership: null}}`, `ownership.accountable is required, for the application or for each service: who answers when it fails?`},
	"ownership without accountable": {`{spec: {ownership: {accountable: null, oncall: x}}}`, `spec.ownership.accountable: Required value`},
	"accountable empty":             {`{spec: {ownership: {accountable: ""}}}`, `spec.ownership.accountable in body should be at least 1 chars long`},
	"unknown deletionPolicy":        {`{spec: {deletionPolicy: Keep}}`, `Unsupported value: "Keep": supported values: "Delete", "Orphan"`},
	"binding without Secret":        {`{spec: {bindings: {consul: {secretRef: null}}}}`, `spec.bindings.consul.secretRef: Required value`},
	"Secret name of capitals":       {`{spec: {bindings: {consul: {secretRef: {name: Consul_1}}}}}`, `must be the name of a Secret: lower-case letters, digits, '-' and '.'`},
}

var fleetServiceMistakes = map[string]mistake{
	"no image":                    {`{spec: {image: null}}`, `spec.image: Required value`},
	"image without tag":           {`{spec: {image: ghcr.io/movieexample/rating}}`, `must be an image in lower case with a tag or a digest, such as ghcr.io/movieexample/rating:1.4.0`},
	"image with capitals":         {`{spec: {image: "ghcr.io/MovieExample/rating:1"}}`, `must be an image in lower case with a tag or a digest`},
	"image a registry with port":  {`{spec: {image: "localhost:5000/rating"}}`, `must be an image in lower case with a tag or a digest`},
	"name too long":               {`{metadata: {name: the-rating-service-of-the-movie-application}}`, `metadata.name must be at most 40 characters`},
	"name with dots":              {`{metadata: {name: rating.v1}}`, `metadata.name must be at most 40 characters, start with a letter and hold lower-case letters, digits and '-' only`},
	"MySQL without binding":       {`{spec: {bindings: null}}`, `storage MySQL needs bindings.mysql.secretRef.name`},
	"Memory with two replicas":    {`{spec: {storage: Memory, replicas: 2}}`, `storage Memory is lost with the pod and not shared: it needs replicas 1`},
	"autoscaling in memory":       {`{spec: {storage: Memory, autoscaling: {maxReplicas: 3}}}`, `it cannot be scaled (leave autoscaling out, or use storage MySQL)`},
	"least above the most":        {`{spec: {autoscaling: {minReplicas: 4, maxReplicas: 3}}}`, `minReplicas must be at most maxReplicas`},
	"too many replicas":           {`{spec: {replicas: 1001}}`, `spec.replicas in body should be less than or equal to 1000`},
	"migrations without database": {`{spec: {storage: None, migrations: {}}}`, `migrations need storage MySQL`},
	"consulAdmin without consul":  {`{spec: {bindings: {consul: null, consulAdmin: {secretRef: {name: a}}}, traffic: null}}`, `bindings.consulAdmin is the operator's part of bindings.consul: bind that too, or leave both out`},
	"migrations without args":     {`{spec: {migrations: {args: []}}}`, `spec.migrations.args in body should have at least 1 items`},
	"a port equal to a default":   {`{spec: {ports: {admin: 8080}}}`, `ports.grpc, ports.http and ports.admin must be three different ports; those left out are 8080, 8180 and 8090`},
	"env set by the operator":     {`{spec: {env: [{name: POD_NAME, value: x}]}}`, `spec.env[0].name: Invalid value: "POD_NAME": is set by the operator; choose another name`},
	"env with a dash":             {`{spec: {env: [{name: MY-NAME, value: x}]}}`, `must be letters, digits and '_', not starting with a digit`},
	"env of two sources":          {`{spec: {env: [{name: A, value: x, secretKeyRef: {name: s, key: k}}]}}`, `give either value or secretKeyRef, not both`},
	"env twice":                   {`{spec: {env: [{name: A, value: x}, {name: A, value: y}]}}`, `spec.env[1]: Duplicate value`},
	"env value a number":          {`{spec: {env: [{name: A, value: 1}]}}`, `spec.env[0].value in body must be of type string: "integer"`},
	"drain too short":             {`{spec: {drainSeconds: 0}}`, `spec.drainSeconds in body should be greater than or equal to 1`},
	"config a string":             {`{spec: {config: "api: {}"}}`, `spec.config in body must be of type object: "string"`},
	"podOverrides a list":         {`{spec: {podOverrides: [{}]}}`, `spec.podOverrides in body must be of type object: "array"`},
	"consulName with dots":        {`{spec: {consulName: movies.rating}}`, `must start with a letter and hold lower-case letters, digits and '-' only`},
	"negative history":            {`{spec: {rollout: {revisionHistoryLimit: -1}}}`, `spec.rollout.revisionHistoryLimit in body should be greater than or equal to 0`},
	"field of a MovieApp":         {`{spec: {dependsOn: [metadata]}}`, `unknown field "spec.dependsOn"`},
	"quantity a word":             {`{spec: {resources: {limits: {memory: much}}}}`, `spec.resources.limits.memory`},
}

const digest = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func TestMistakesOfMovieApps(t *testing.T)     { refuseAll(t, goodMovieApp, movieAppMistakes) }
func TestMistakesOfFleetServices(t *testing.T) { refuseAll(t, goodFleetService, fleetServiceMistakes) }

func refuseAll(t *testing.T, good string, mistakes map[string]mistake) {
	c := server.Client(t)
	for name, m := range mistakes {
		t.Run(name, func(t *testing.T) {
			obj := changed(t, good, m.change)
			err := c.Create(t.Context(), obj, strict)
			if err == nil {
				if err := c.Delete(t.Context(), obj); err != nil {
					t.Error(err)
				}
				t.Fatalf("create with %s = accepted, want refused: %s", m.change, m.want)
			}
			if !strings.Contains(err.Error(), m.want) {
				t.Errorf("create with %s\n got %q\nwant it to contain %q", m.change, err, m.want)
			}
			for _, noise := range []string{"self.", "has(", "matches(", "orValue"} {
				if strings.Contains(err.Error(), noise) {
					t.Errorf("create with %s = %q, which shows the rule (%q) instead of a sentence", m.change, err, noise)
				}
			}
			if got := c.Get(t.Context(), client.ObjectKeyFromObject(obj), obj); !apierrors.IsNotFound(got) {
				t.Errorf("get afterwards = %v, want not found: nothing may be stored", got)
			}
		})
	}
}

// strict is what kubectl asks for: unknown fields are errors.
var strict = client.FieldValidation("Strict")

// changed is the good resource with a merge patch on top.
func changed(t *testing.T, good, patch string) *unstructured.Unstructured {
	t.Helper()
	var base, over map[string]any
	for _, p := range []struct {
		text string
		into *map[string]any
	}{{good, &base}, {patch, &over}} {
		if err := yaml.Unmarshal([]byte(p.text), p.into); err != nil {
			t.Fatalf("read %q: %v", p.text, err)
		}
	}
	merge(base, over)
	return &unstructured.Unstructured{Object: base}
}

// merge does what RFC 7386 says.
func merge(base, over map[string]any) {
	for k, v := range over {
		if v == nil {
			delete(base, k)
			continue
		}
		b, isMap := base[k].(map[string]any)
		o, wantsMap := v.(map[string]any)
		if isMap && wantsMap {
			merge(b, o)
			continue
		}
		base[k] = v
	}
}
