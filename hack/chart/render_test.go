//go:build chart

package chart

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
)

const (
	root      = "../.."
	chartPath = root + "/charts/movie-fleet"
	release   = "movie-fleet"
	namespace = "movie-fleet-system"
)

// tool is the program that the environment variable names; make sets it to the pinned version.
func tool(t *testing.T, variable string) string {
	t.Helper()
	path := os.Getenv(variable)
	if path == "" {
		t.Fatalf("%s is not set; run these tests with `make test-chart`", variable)
	}
	return path
}

// helm renders the chart and returns what helm printed, or its complaint.
func helm(t *testing.T, args ...string) ([]byte, error) {
	t.Helper()
	args = append([]string{"template", release, chartPath, "--namespace", namespace, "--kube-version", "1.30"}, args...)
	return run(t, tool(t, "HELM"), args...)
}

func run(t *testing.T, program string, args ...string) ([]byte, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	// Neither a user's plug-ins nor settings may decide what is rendered.
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "KUBECONFIG=/dev/null")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return nil, errors.New(stderr.String())
	}
	return stdout.Bytes(), nil
}

// rendered is the chart's objects with the given arguments.
func rendered(t *testing.T, args ...string) []*unstructured.Unstructured {
	t.Helper()
	out, err := helm(t, args...)
	if err != nil {
		t.Fatalf("helm template %v: %v", args, err)
	}
	return parse(t, out)
}

// kustomized is the objects of config/default.
func kustomized(t *testing.T) []*unstructured.Unstructured {
	t.Helper()
	out, err := run(t, tool(t, "KUSTOMIZE"), "build", filepath.Join(root, "config/default"))
	if err != nil {
		t.Fatalf("kustomize build config/default: %v", err)
	}
	return parse(t, out)
}

// parse reads a stream of YAML documents, sorted by kind, namespace and name.
func parse(t *testing.T, stream []byte) []*unstructured.Unstructured {
	t.Helper()
	var objects []*unstructured.Unstructured
	decoder := utilyaml.NewYAMLOrJSONDecoder(bytes.NewReader(stream), 4096)
	for {
		object := &unstructured.Unstructured{}
		err := decoder.Decode(&object.Object)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("What was rendered is no YAML: %v", err)
		}
		if len(object.Object) > 0 {
			objects = append(objects, object)
		}
	}
	if len(objects) == 0 {
		t.Fatal("Nothing was rendered")
	}
	sort.Slice(objects, func(i, j int) bool { return key(objects[i]) < key(objects[j]) })
	return objects
}

func key(o *unstructured.Unstructured) string {
	return o.GetKind() + " " + o.GetNamespace() + "/" + o.GetName()
}

// find is the one object of a kind and name.
func find(t *testing.T, objects []*unstructured.Unstructured, kind, name string) *unstructured.Unstructured {
	t.Helper()
	for _, o := range objects {
		if o.GetKind() == kind && o.GetName() == name {
			return o
		}
	}
	t.Fatalf("There is no %s %s", kind, name)
	return nil
}

// field is a part of an object, by its path.
func field(t *testing.T, o *unstructured.Unstructured, path ...string) any {
	t.Helper()
	value, found, err := unstructured.NestedFieldNoCopy(o.Object, path...)
	if err != nil || !found {
		t.Fatalf("%s has no %v (%v)", key(o), path, err)
	}
	return value
}
