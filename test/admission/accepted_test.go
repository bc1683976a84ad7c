//go:build envtest

package admission_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"movieexample.com/fleet/test/apiserver"
)

// maxDefinition keeps the definitions far from the limits of etcd and of client-side apply.
const maxDefinition = 85_000

func TestAccepted(t *testing.T) {
	read := func(name string) string {
		raw, err := os.ReadFile(filepath.Join(apiserver.Root(), "config", "samples", name))
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	acceptAll(t, map[string]acceptable{
		"the tests' MovieApp":                {goodMovieApp, `{}`},
		"the tests' FleetService":            {goodFleetService, `{}`},
		"sample MovieApp":                    {read("movieapp.yaml"), `{metadata: {namespace: default}}`},
		"sample FleetService":                {read("fleetservice.yaml"), `{metadata: {namespace: default}}`},
		"registry with port and path":        {goodMovieApp, `{spec: {image: {registry: "localhost:5000/fleet"}}}`},
		"registry with port alone":           {goodMovieApp, `{spec: {image: {registry: "localhost:5000"}}}`},
		"a service of one's own":             {goodMovieApp, `{spec: {services: {search: {dependsOn: [metadata], args: [serve], ports: {grpc: 9000}}}}}`},
		"preset's port is another's default": {goodMovieApp, `{spec: {services: {movie: {ports: {grpc: 8180}}}}}`},
		"preset without its database":        {goodMovieApp, `{spec: {services: {rating: {storage: Memory, replicas: 1, bindings: null}}}}`},
		"ownership per service":              {goodMovieApp, `{spec: {ownership: null, services: {metadata: {ownership: {accountable: a}}, rating: {ownership: {accountable: b}}, movie: {ownership: {accountable: c}}}}}`},
		"pinned by digest":                   {goodMovieApp, `{spec: {services: {rating: {image: {digest: "sha256:` + digest + `"}}}}}`},
		"cpu as a plain number":              {goodMovieApp, `{spec: {services: {rating: {resources: {requests: {cpu: 1}, limits: {memory: 256Mi}}}}}}`},
		"config is free":                     {goodMovieApp, `{spec: {services: {movie: {config: {cache: {ttl: 30s}, list: [1, a]}}}}}`},
		"deadline of parts":                  {goodMovieApp, `{spec: {rollout: {startDeadline: 1m30s}}}`},
		"files of movie":                     {goodMovieApp, `{spec: {services: {movie: {files: {claimName: uploads}}}}}`},
		"a token for each service":           {goodMovieApp, `{spec: {bindings: {consul: null, consulAdmin: {secretRef: {name: a}}}, services: {movie: {bindings: {consul: {secretRef: {name: m}}}}}}}`},
		"scaled to zero":                     {goodFleetService, `{spec: {replicas: 0}}`},
		"image with tag and digest":          {goodFleetService, `{spec: {image: "localhost:5000/fleet/rating:v1@sha256:` + digest + `"}}`},
		"env from a Secret and empty":        {goodFleetService, `{spec: {env: [{name: A, secretKeyRef: {name: s, key: k}}, {name: B}]}}`},
	})
}

// acceptable is a good resource and a change, in the form of a JSON merge patch, after which it is good still.
type acceptable struct{ good, change string }

func acceptAll(t *testing.T, all map[string]acceptable) {
	for name, tc := range all {
		t.Run(name, func(t *testing.T) {
			c := server.Client(t)
			obj := changed(t, tc.good, tc.change)
			if err := c.Create(t.Context(), obj, strict); err != nil {
				t.Fatalf("create = %v, want accepted", err)
			}
			generation, _, _ := unstructured.NestedFieldNoCopy(obj.Object, "status", "observedGeneration")
			if generation != int64(-1) {
				t.Errorf("status.observedGeneration of a new resource = %v, want -1: nobody has looked at it", generation)
			}
			if err := c.Delete(t.Context(), obj); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestDefinitionsAreSmall(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(apiserver.Root(), "config", "crd", "fleet.*.yaml"))
	if err != nil || len(files) != 3 {
		t.Fatalf("definitions = %v, %v; want 3 files", files, err)
	}
	for _, f := range files {
		info, err := os.Stat(f)
		if err != nil {
			t.Fatal(err)
		}
		if info.Size() > maxDefinition {
			t.Errorf("%s has %d bytes, want at most %d", filepath.Base(f), info.Size(), maxDefinition)
		}
	}
}

// TestExplain reads the schema as a user does.
func TestExplain(t *testing.T) {
	for path, want := range map[string][]string{
		"movieapp.spec":                    {"services\t<map[string]Object> -required-", "image\t<Object> -required-", "The services by name", "deletionPolicy"},
		"movieapp.spec.services.dependsOn": {"[metadata, rating] for movie"},
		"fs.spec.storage":                  {"ENUM: None MySQL Memory", "Default None; MySQL for the presets"},
		"ma.status.conditions":             {"SpecValid"},
	} {
		t.Run(path, func(t *testing.T) {
			args := append(kubeconfig(t), "explain", path)
			explain := func() ([]byte, error) {
				return exec.CommandContext(t.Context(), apiserver.Kubectl(), args...).CombinedOutput()
			}
			out, err := explain()
			for deadline := time.Now().Add(30 * time.Second); err != nil && time.Now().Before(deadline); {
				out, err = explain() // what the server tells of a definition comes a moment after it
			}
			if err != nil {
				t.Fatalf("kubectl explain %s: %v\n%s", path, err, out)
			}
			flat := strings.Join(strings.Fields(string(out)), " ")
			for _, w := range want {
				if !strings.Contains(strings.ToLower(flat), strings.ToLower(strings.Join(strings.Fields(w), " "))) {
					t.Errorf("kubectl explain %s does not say %q:\n%s", path, w, out)
				}
			}
		})
	}
}

// kubeconfig is the arguments that point kubectl at the test's server.
func kubeconfig(t *testing.T) []string {
	t.Helper()
	user, err := server.User()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(file, user, 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{"--kubeconfig", file, "--cache-dir", t.TempDir()}
}
