package render_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"movieexample.com/fleet/controllers/fleetservice/render"
)

func TestRoutes(t *testing.T) {
	fs := service(t, `
metadata: {name: movies-movie, labels: {fleet.movieexample.com/app: movies, app.kubernetes.io/component: movie}}
spec:
  image: ghcr.io/movieexample/movie:1.4.0
  ports: {grpc: 8083, http: 8183, admin: 8093}
  ownership: {accountable: a@example.com}
  traffic:
    northSouth: Gateway
    gateway:
      parentRefs: [{name: edge, namespace: edge, sectionName: web}, {name: inner}]
      hostnames: [movies.example.com, "*.movies.example.org"]
      pathPrefixes: [/v1/movies, /v1/search]
      grpcServices: [movie.v1.MovieService]
`)
	var got bytes.Buffer
	for _, route := range []any{render.HTTPRoute(fs, 5), render.GRPCRoute(fs, 0)} {
		raw, err := yaml.Marshal(route)
		if err != nil {
			t.Fatal(err)
		}
		got.WriteString("---\n")
		got.Write(raw)
	}
	file := filepath.Join("testdata", "routes.golden.yaml")
	if *update {
		if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("routes (-golden +rendered; -update writes them):\n%s", diff)
	}
}

func TestNoRoutesWithoutAGateway(t *testing.T) {
	for name, policy := range map[string]string{
		"no policy":      `{}`,
		"not said":       `{gateway: {parentRefs: [{name: edge}], pathPrefixes: [/v1], grpcServices: [a.B]}}`,
		"None":           `{northSouth: None, gateway: {parentRefs: [{name: edge}], pathPrefixes: [/v1], grpcServices: [a.B]}}`,
		"nothing listed": `{northSouth: Gateway, gateway: {parentRefs: [{name: edge}]}}`,
		"no gateway":     `{northSouth: Gateway}`,
	} {
		t.Run(name, func(t *testing.T) {
			fs := service(t, `{metadata: {name: movie}, spec: {image: "a:1", traffic: `+policy+`}}`)
			if http, grpc := render.HTTPRoute(fs, 0), render.GRPCRoute(fs, 0); http != nil || grpc != nil {
				t.Errorf("routes = %v and %v, want none", http, grpc)
			}
		})
	}
}
