package movieapp

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"movieexample.com/fleet/api/v1alpha1"
)

var update = flag.Bool("update", false, "write the golden files anew from what the code does now")

// golden compares got with a file in testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got; -update writes it anew):\n%s", file, diff)
	}
}

// sample is the MovieApp that is shown to users.
func sample(t *testing.T) *v1alpha1.MovieApp {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", "config", "samples", "movieapp.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return read(t, string(raw))
}

func read(t *testing.T, text string) *v1alpha1.MovieApp {
	t.Helper()
	app := &v1alpha1.MovieApp{}
	if err := yaml.UnmarshalStrict([]byte(text), app); err != nil {
		t.Fatalf("read %q: %v", text, err)
	}
	app.Namespace, app.UID, app.Generation = "cinema", "app", 1
	return app
}
