//go:build chart

package chart

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestChartRendersAsRecorded(t *testing.T) {
	values, err := filepath.Glob("testdata/*.values.yaml")
	if err != nil || len(values) < 3 {
		t.Fatalf("found %d values files (%v), want at least 3", len(values), err)
	}
	for _, path := range values {
		name := strings.TrimSuffix(filepath.Base(path), ".values.yaml")
		t.Run(name, func(t *testing.T) {
			// The definitions and the operator's rules are generated; other tests look at them.
			got, err := helm(t, "--values", path, "--set", "crds.install=false")
			if err != nil {
				t.Fatalf("helm template: %v", err)
			}
			compareWithGolden(t, withoutGeneratedRules(t, got), filepath.Join("testdata", name+".golden.yaml"))
		})
	}
}

// withoutGeneratedRules is the stream with the operator's rules replaced by a mark, so that a new marker in
// the code does not change every golden file.
func withoutGeneratedRules(t *testing.T, stream []byte) string {
	t.Helper()
	var out strings.Builder
	for _, o := range parse(t, stream) {
		if strings.HasSuffix(o.GetKind(), "Role") && !strings.HasSuffix(o.GetName(), "-leader-election") {
			o.Object["rules"] = "generated"
		}
		text, err := yaml.Marshal(o.Object)
		if err != nil {
			t.Fatal(err)
		}
		out.WriteString("---\n")
		out.Write(text)
	}
	return out.String()
}

func compareWithGolden(t *testing.T, got, path string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (write it with `make test-chart CHART_TEST_FLAGS=-update`)", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("the rendered chart differs from %s (-want +got); if that is meant: make test-chart CHART_TEST_FLAGS=-update\n%s", path, diff)
	}
}

func TestChartRefusesBadValues(t *testing.T) {
	tests := map[string]struct{ set, want string }{
		"unknown key":                 {"replica=2", "'replica' not allowed"},
		"unknown nested key":          {"image.repository=x", "'repository' not allowed"},
		"text instead of a number":    {"replicas=two", "at '/replicas'"},
		"too many replicas":           {"replicas=9", "at '/replicas'"},
		"a tag that is none":          {"image.tag=a:b", "at '/image/tag'"},
		"a digest that is none":       {"image.digest=sha256:abc", "at '/image/digest'"},
		"an unknown pull policy":      {"image.pullPolicy=Sometimes", "at '/image/pullPolicy'"},
		"a namespace that is none":    {"watchNamespaces={Movies}", "at '/watchNamespaces/0'"},
		"one namespace twice":         {"watchNamespaces={a,a}", "at '/watchNamespaces'"},
		"a webhook's whole address":   {"webhookHosts={https://smoke}", "at '/webhookHosts/0'"},
		"a webhook's host and port":   {"webhookHosts={smoke:8443}", "at '/webhookHosts/0'"},
		"any webhook host":            {"webhookHosts={*}", "at '/webhookHosts/0'"},
		"webhook hosts as text":       {"webhookHosts=smoke", "at '/webhookHosts'"},
		"one webhook host twice":      {"webhookHosts={a,a}", "at '/webhookHosts'"},
		"the port of the probes":      {"metrics.port=8081", "at '/metrics/port'"},
		"a port that needs root":      {"metrics.port=443", "at '/metrics/port'"},
		"a certificate without HTTPS": {"metrics.certSecret=x", "at '/metrics/secure'"},
		"an unknown log level":        {"log.level=loud", "at '/log/level'"},
		"yes instead of true":         {"crds.keep=yes", "at '/crds/keep'"},
		"annotations that are a list": {"podAnnotations={a,b}", "at '/podAnnotations'"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := helm(t, "--set", tc.set)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("helm template --set %s said %v, want a complaint with %q", tc.set, err, tc.want)
			}
		})
	}
}

func TestChartKeepsDefinitionsUnlessToldOtherwise(t *testing.T) {
	tests := map[string]struct {
		args []string
		want string
	}{
		"by default":           {nil, "keep"},
		"with crds.keep=false": {[]string{"--set", "crds.keep=false"}, ""},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			objects := rendered(t, tc.args...)
			for _, kind := range []string{"movieapps", "fleetservices", "ratingingestors"} {
				crd := find(t, objects, "CustomResourceDefinition", kind+".fleet.movieexample.com")
				if got := crd.GetAnnotations()["helm.sh/resource-policy"]; got != tc.want {
					t.Errorf("resource-policy of %s = %q, want %q", kind, got, tc.want)
				}
			}
		})
	}
}

func TestChartWithNamespacesCreatesNothingClusterWide(t *testing.T) {
	objects := rendered(t, "--set", "watchNamespaces={movies,staging}", "--set", "crds.install=false")
	namespaces := map[string]bool{}
	for _, o := range objects {
		if o.GetNamespace() == "" {
			t.Errorf("%s belongs to no namespace", key(o))
		}
		if o.GetKind() == "Role" && o.GetName() == release {
			namespaces[o.GetNamespace()] = true
		}
	}
	if diff := cmp.Diff(map[string]bool{"movies": true, "staging": true}, namespaces); diff != "" {
		t.Errorf("Roles for the operator (-want +got):\n%s", diff)
	}
	wantArgument(t, find(t, objects, "Deployment", release), "--watch-namespaces=movies,staging")
}

func TestChartTellsTheOperatorWhichWebhooksItMayCall(t *testing.T) {
	objects := rendered(t, "--set", "webhookHosts={smoke.tools.svc,10.0.0.7}")
	wantArgument(t, find(t, objects, "Deployment", release), "--webhook-hosts=smoke.tools.svc,10.0.0.7")
}

func wantArgument(t *testing.T, deployment *unstructured.Unstructured, want string) {
	t.Helper()
	containers, _ := field(t, deployment, "spec", "template", "spec", "containers").([]any)
	container, _ := containers[0].(map[string]any)
	args, _ := container["args"].([]any)
	for _, arg := range args {
		if arg == want {
			return
		}
	}
	t.Errorf("arguments of the operator = %v, want %s among them", args, want)
}
