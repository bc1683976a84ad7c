package render_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	podsecurity "k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/yaml"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/fleetservice/render"
	"movieexample.com/fleet/controllers/fleetservice/revision"
)

// update writes the golden files: go test ./controllers/fleetservice/render -update
var update = flag.Bool("update", false, "write the golden files")

const hash = "abcdefghij"

// The three services of the golden files, as they stand in a cluster.
var services = map[string]string{
	"mysql-consul": `
metadata: {name: movies-rating, labels: {fleet.movieexample.com/app: movies, app.kubernetes.io/component: rating}}
spec:
  image: ghcr.io/movieexample/rating:1.4.0
  replicas: 3
  args: [serve]
  env: [{name: GOGC, value: "50"}, {name: API_KEY, secretKeyRef: {name: keys, key: api}}]
  config: {log: {level: debug}, limits: {bytes: 9007199254740993}}
  storage: MySQL
  migrations: {}
  ports: {grpc: 8082, http: 8182, admin: 8092}
  bindings: {mysql: {secretRef: {name: rating-mysql}}, consul: {secretRef: {name: movies-consul}}}
  scheduling: {nodeSelector: {disk: ssd}, tolerations: [{key: dedicated, operator: Exists}], priorityClassName: high}
  drainSeconds: 20
  ownership: {accountable: a@example.com, support: "#movies", oncall: PD-ROTATION}
  podOverrides: {metadata: {annotations: {example.com/team: movies}}, spec: {containers: [{name: proxy, image: "ghcr.io/example/proxy:1"}]}}
`,
	"none": `
metadata: {name: gateway}
spec: {image: "ghcr.io/movieexample/gateway:1", featureFlags: {configMapName: gateway-flags}, bindings: {tls: {secretRef: {name: gateway-tls}}}, files: {claimName: uploads}, config: {files: {maxSize: 1GiB}}}
`,
	"memory": `
metadata: {name: rating}
spec: {image: "localhost/fleet/rating:v1", storage: Memory, replicas: 1, migrations: {args: [migrate, up]}}
`,
}

func service(t testing.TB, manifest string) *v1alpha1.FleetService {
	t.Helper()
	fs := &v1alpha1.FleetService{ObjectMeta: metav1.ObjectMeta{Namespace: "movies", UID: "11111111-2222-3333-4444-555555555555"}}
	if err := yaml.Unmarshal([]byte(manifest), fs); err != nil {
		t.Fatalf("manifest: %v\n%s", err, manifest)
	}
	return fs
}

// everything renders all objects of a service as one YAML stream.
func everything(t testing.TB, fs *v1alpha1.FleetService) []byte {
	t.Helper()
	snapshot, err := render.Snapshot(fs, hash)
	if err != nil {
		t.Fatalf("Snapshot: %v", err)
	}
	recorded, err := render.ControllerRevision(fs, hash, snapshot, 7)
	if err != nil {
		t.Fatalf("ControllerRevision: %v", err)
	}
	objects := []any{
		render.ServiceAccount(fs), render.Headless(fs), render.DisruptionBudget(fs), recorded, render.ConfigMap(fs, hash, snapshot),
		render.MigrationJob(fs, hash, snapshot), render.Deployment(fs, hash, snapshot, 3),
	}
	for _, s := range render.Services(fs, hash, "klmnopqrst") {
		objects = append(objects, s)
	}
	var out bytes.Buffer
	for _, o := range objects {
		raw, err := yaml.Marshal(o)
		if err != nil {
			t.Fatalf("encode %T: %v", o, err)
		}
		out.WriteString("--- # " + strings.TrimPrefix(typeName(o), "*v1.") + "\n")
		out.Write(raw)
	}
	return out.Bytes()
}

func TestGolden(t *testing.T) {
	for name, manifest := range services {
		t.Run(name, func(t *testing.T) {
			got := everything(t, service(t, manifest))
			file := filepath.Join("testdata", name+".golden.yaml")
			if *update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("objects of %s (-golden +rendered; -update writes them):\n%s", name, diff)
			}
		})
	}
}

// TestSameEachTime guards against the order of maps: another rendering would look like a change of the spec.
func TestSameEachTime(t *testing.T) {
	for name, manifest := range services {
		first := everything(t, service(t, manifest))
		for range 100 {
			if again := everything(t, service(t, manifest)); !bytes.Equal(first, again) {
				t.Fatalf("%s renders differently each time:\n%s", name, cmp.Diff(string(first), string(again)))
			}
		}
	}
}

func TestPodsAreRestricted(t *testing.T) {
	for name, manifest := range services {
		t.Run(name, func(t *testing.T) {
			fs := service(t, manifest)
			template, err := render.Template(fs, hash)
			if err != nil {
				t.Fatal(err)
			}
			job := render.MigrationJob(fs, hash, &revision.Snapshot{Template: template}).Spec.Template
			evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
			if err != nil {
				t.Fatal(err)
			}
			level := podsecurity.LevelVersion{Level: podsecurity.LevelRestricted, Version: podsecurity.LatestVersion()}
			for what, pod := range map[string]corev1.PodTemplateSpec{"service": template, "migration": job} {
				result := policy.AggregateCheckResults(evaluator.EvaluatePod(level, &pod.ObjectMeta, &pod.Spec))
				if !result.Allowed {
					t.Errorf("pods of the %s break the restricted standard: %s", what, result.ForbiddenDetail())
				}
			}
		})
	}
}

// TestSnapshotIsWhatWasRendered reads back what is recorded: nothing of a template may be lost on the way.
func TestSnapshotIsWhatWasRendered(t *testing.T) {
	fs := service(t, services["mysql-consul"])
	want, err := render.Snapshot(fs, hash)
	if err != nil {
		t.Fatal(err)
	}
	cr, err := render.ControllerRevision(fs, hash, want, 1)
	if err != nil {
		t.Fatal(err)
	}
	got, err := revision.Decode(cr)
	if err != nil {
		t.Fatal(err)
	}
	// As JSON: a quantity keeps its number and may lose the text it was written in.
	if diff := cmp.Diff(string(asJSON(t, want)), string(asJSON(t, got))); diff != "" {
		t.Errorf("Decode(Encode(snapshot)) (-want +got):\n%s", diff)
	}
}

func asJSON(t testing.TB, v any) []byte {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func typeName(v any) string { return fmt.Sprintf("%T", v) }
