package movieapp

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"movieexample.com/fleet/api/v1alpha1"
)

// TestResolveSample shows what the sample MovieApp becomes.
func TestResolveSample(t *testing.T) {
	services, err := resolve(sample(t))
	if err != nil {
		t.Fatalf("resolve = error %v, want none", err)
	}
	golden(t, "sample.yaml", specs(t, services))
}

// specs is what services are to be, one YAML document each.
func specs(t *testing.T, services []service) string {
	t.Helper()
	var out strings.Builder
	for _, s := range services {
		raw, err := yaml.Marshal(map[string]any{"name": s.fleetService, "spec": s.spec})
		if err != nil {
			t.Fatal(err)
		}
		out.WriteString("---\n" + string(raw))
	}
	return out.String()
}

// TestResolve looks at one part of one service for each rule of merging.
func TestResolve(t *testing.T) {
	const head = `
metadata: {name: movies}
spec:
  image: {registry: r, tag: v1}
  bindings: {consul: {secretRef: {name: shared}}}
  ownership: {accountable: boss, support: "#help"}
  rollout: {startDeadline: 60s, revisionHistoryLimit: 3}
  services:
`
	config := func(s *v1alpha1.FleetServiceSpec) string {
		if s.Config == nil {
			return ""
		}
		return string(s.Config.Raw)
	}
	for name, tc := range map[string]struct {
		services, of string
		get          func(*v1alpha1.FleetServiceSpec) string
		want         string
	}{
		"image":                           {`{movie: {}}`, "movie", func(s *v1alpha1.FleetServiceSpec) string { return s.Image }, "r/movie:v1"},
		"image with a tag of its own":     {`{movie: {image: {tag: v2}}}`, "movie", func(s *v1alpha1.FleetServiceSpec) string { return s.Image }, "r/movie:v2"},
		"image by digest":                 {`{movie: {image: {registry: q, name: m, digest: "sha256:1"}}}`, "movie", func(s *v1alpha1.FleetServiceSpec) string { return s.Image }, "q/m@sha256:1"},
		"preset's ports, one replaced":    {`{movie: {ports: {http: 9000}}}`, "movie", func(s *v1alpha1.FleetServiceSpec) string { return text(s.Ports) }, "admin: 8093\ngrpc: 8083\nhttp: 9000\n"},
		"no preset, no ports":             {`{search: {}}`, "search", func(s *v1alpha1.FleetServiceSpec) string { return text(s.Ports) }, "null\n"},
		"consul from the application":     {`{movie: {}}`, "movie", func(s *v1alpha1.FleetServiceSpec) string { return text(s.Bindings) }, "consul:\n  secretRef:\n    name: shared\n"},
		"consul of its own":               {`{movie: {bindings: {consul: {secretRef: {name: own}}}}}`, "movie", func(s *v1alpha1.FleetServiceSpec) string { return text(s.Bindings) }, "consul:\n  secretRef:\n    name: own\n"},
		"ownership field by field":        {`{movie: {ownership: {accountable: me}}}`, "movie", func(s *v1alpha1.FleetServiceSpec) string { return text(s.Ownership) }, "accountable: me\nsupport: '#help'\n"},
		"rollout field by field":          {`{movie: {rollout: {startDeadline: 2m}}}`, "movie", func(s *v1alpha1.FleetServiceSpec) string { return text(s.Rollout) }, "revisionHistoryLimit: 3\nstartDeadline: 2m0s\n"},
		"memory needs no migrations":      {`{rating: {storage: Memory}}`, "rating", func(s *v1alpha1.FleetServiceSpec) string { return string(s.Storage) + text(s.Migrations) }, "Memorynull\n"},
		"movie without the others":        {`{movie: {}}`, "movie", config, ""},
		"upstreams in Consul":             {`{movie: {}, rating: {consulName: stars}}`, "movie", config, `{"upstreams":{"rating":{"target":"consul:///stars"}}}`},
		"upstreams by DNS":                {`{movie: {}, rating: {bindings: {consul: {secretRef: {name: other}}}}}`, "movie", config, `{"upstreams":{"rating":{"target":"dns:///movies-rating.cinema.svc:8082"}}}`},
		"user's config over upstreams":    {`{movie: {config: {big: 12345678901234567890, upstreams: {rating: {target: "static:///x", timeout: 1s}}}}, rating: {}}`, "movie", config, `{"big":12345678901234567890,"upstreams":{"rating":{"target":"static:///x","timeout":"1s"}}}`},
		"dependsOn emptied":               {`{movie: {dependsOn: []}, rating: {}}`, "movie", config, ""},
		"a service of one's own has them": {`{search: {dependsOn: [movie]}, movie: {}}`, "search", config, `{"upstreams":{"movie":{"target":"consul:///cinema-movies-movie"}}}`},
		"auth by its preset": {`{auth: {}}`, "auth", func(s *v1alpha1.FleetServiceSpec) string {
			return string(s.Storage) + text(s.Ports) + text(s.Migrations)
		}, "MySQLadmin: 8094\ngrpc: 8084\nhttp: 8184\nargs:\n- migrate\n"},
		"auth has keys":                    {`{auth: {}}`, "auth", func(s *v1alpha1.FleetServiceSpec) string { return text(s.Bindings.AuthKeys) }, "secretRef:\n  name: movies-auth-keys\n"},
		"auth has keys of a person":        {`{auth: {bindings: {authKeys: {secretRef: {name: mine}}}}}`, "auth", func(s *v1alpha1.FleetServiceSpec) string { return text(s.Bindings.AuthKeys) }, "secretRef:\n  name: mine\n"},
		"auth says whose tokens it issues": {`{auth: {}}`, "auth", config, `{"keys":{"kind":"binding"},"tokens":{"audience":"cinema/movies","issuer":"cinema/movies"}}`},
		"events with Kafka":                {`{rating: {bindings: {kafka: {secretRef: {name: k}}}}}`, "rating", config, `{"events":{"kind":"kafka"}}`},
		"events heard by movie":            {`{movie: {bindings: {kafka: {secretRef: {name: k}}}}}`, "movie", config, `{"events":{"kind":"kafka"}}`},
		"no events without an outbox":      {`{rating: {storage: Memory, bindings: {kafka: {secretRef: {name: k}}}}}`, "rating", config, ""},
		"no events where none are known":   {`{search: {bindings: {kafka: {secretRef: {name: k}}}}}`, "search", config, ""},
		"events turned off for one":        {`{rating: {config: {events: {kind: none}}, bindings: {kafka: {secretRef: {name: k}}}}}`, "rating", config, `{"events":{"kind":"none"}}`},
		"a cache in Redis":                 {`{metadata: {bindings: {redis: {secretRef: {name: r}}}}}`, "metadata", config, `{"cache":{"prefix":"cinema/movies","shared":"redis"}}`},
		"nobody asks for tokens":           {`{auth: {}, rating: {}}`, "rating", config, ""},
		"tokens are asked for": {"{auth: {}, rating: {}}\n  auth: {tokensNotBefore: 2026-01-31T12:00:00Z}", "rating", config,
			`{"auth":{"audience":"cinema/movies","issuer":"cinema/movies","jwks":"http://movies-auth.cinema.svc:8184/.well-known/jwks.json","kind":"jwt","tokensNotBefore":"2026-01-31T12:00:00Z"}}`},
		"a flag of the revision":  {"{movie: {}}\n  featureFlags: {b: {value: false, rollout: Revision}, a: {value: true, rollout: Revision}, c: {value: true}}", "movie", config, `{"flags":{"set":["a=true","b=false"]}}`},
		"live flags":              {"{movie: {}}\n  featureFlags: {a: {value: true}}", "movie", func(s *v1alpha1.FleetServiceSpec) string { return text(s.FeatureFlags) + text(s.Config) }, "configMapName: movies-flags\nnull\n"},
		"flags are nobody else's": {"{movie: {}, rating: {}}\n  featureFlags: {a: {value: true, rollout: Revision}}", "rating", func(s *v1alpha1.FleetServiceSpec) string { return text(s.FeatureFlags) + text(s.Config) }, "null\nnull\n"},
		"TLS": {"{movie: {}, rating: {}}\n  tls: {}", "movie", config,
			`{"tls":{"mode":"server","trustDomain":"cluster.local"},"upstreams":{"rating":{"identity":"spiffe://cluster.local/ns/cinema/sa/movies-rating","target":"consul:///cinema-movies-rating"}}}`},
		"TLS with certificates of callers": {"{rating: {}}\n  tls: {trustDomain: movies.example}", "rating", config, `{"tls":{"mode":"mutual","trustDomain":"movies.example"}}`},
		"TLS, otherwise for one":           {"{rating: {config: {tls: {mode: server}}}}\n  tls: {}", "rating", config, `{"tls":{"mode":"server","trustDomain":"cluster.local"}}`},
		"TLS of a service of one's own":    {"{search: {dependsOn: [movie]}, movie: {}}\n  tls: {}", "search", func(s *v1alpha1.FleetServiceSpec) string { return text(s.Bindings.TLS) }, "secretRef:\n  name: movies-search-tls\n"},
		"a certificate that a person made": {"{rating: {bindings: {tls: {secretRef: {name: mine}}}}}\n  tls: {}", "rating", func(s *v1alpha1.FleetServiceSpec) string { return text(s.Bindings.TLS) }, "secretRef:\n  name: mine\n"},
		"TLS for issuing tokens":           {"{auth: {}}\n  tls: {}", "auth", config, `{"keys":{"kind":"binding"},"tls":{"mode":"server","trustDomain":"cluster.local"},"tokens":{"audience":"cinema/movies","issuer":"cinema/movies"}}`},
		"TLS for asking which keys are auth's": {"{auth: {}, rating: {}}\n  auth: {}\n  tls: {}", "rating", config,
			`{"auth":{"audience":"cinema/movies","identity":"spiffe://cluster.local/ns/cinema/sa/movies-auth","issuer":"cinema/movies","jwks":"https://movies-auth.cinema.svc:8184/.well-known/jwks.json","kind":"jwt"},"tls":{"mode":"mutual","trustDomain":"cluster.local"}}`},
		"keys are nobody else's":            {"{auth: {}, rating: {}}\n  auth: {}", "rating", func(s *v1alpha1.FleetServiceSpec) string { return text(s.Bindings.AuthKeys) }, "null\n"},
		"traces":                            {"{rating: {}}\n  telemetry: {traces: {endpoint: 'http://c:4317'}}", "rating", config, `{"telemetry":{"traces":{"endpoint":"http://c:4317","ratio":0.01}}}`},
		"traces, otherwise for one":         {"{rating: {config: {telemetry: {traces: {ratio: 1}}}}}\n  telemetry: {traces: {endpoint: 'http://c:4317', ratio: '0.5'}}", "rating", config, `{"telemetry":{"traces":{"endpoint":"http://c:4317","ratio":1}}}`},
		"replicas left out stay left out":   {`{movie: {}}`, "movie", func(s *v1alpha1.FleetServiceSpec) string { return text(s.Replicas) }, "null\n"},
		"deletionPolicy is not handed down": {`{movie: {}}`, "movie", func(s *v1alpha1.FleetServiceSpec) string { return string(s.DeletionPolicy) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			services, err := resolve(read(t, head+"    "+tc.services))
			if err != nil {
				t.Fatalf("resolve = error %v, want none", err)
			}
			i := slices.IndexFunc(services, func(s service) bool { return s.name == tc.of })
			if i < 0 {
				t.Fatalf("resolve = no service %s", tc.of)
			}
			if diff := cmp.Diff(tc.want, tc.get(&services[i].spec)); diff != "" {
				t.Errorf("%s of %s (-want +got):\n%s", name, tc.of, diff)
			}
		})
	}
}

// TestResolveTLS shows what TLS makes of the sample.
func TestResolveTLS(t *testing.T) {
	app := sample(t)
	app.Spec.TLS = &v1alpha1.AppTLS{}
	services, err := resolve(app)
	if err != nil {
		t.Fatalf("resolve = error %v, want none", err)
	}
	golden(t, "tls.yaml", specs(t, services))
}

func text(v any) string {
	raw, err := yaml.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(raw)
}

// TestATokenForEachService: services with Secrets of their own find each other in Consul, because the operator's is the same.
func TestATokenForEachService(t *testing.T) {
	services, err := resolve(read(t, `
metadata: {name: movies}
spec:
  image: {registry: r, tag: v1}
  bindings: {consulAdmin: {secretRef: {name: admin}}}
  ownership: {accountable: boss}
  services:
    movie: {dependsOn: [rating, search, stars], bindings: {consul: {secretRef: {name: movie}}}}
    rating: {storage: Memory, bindings: {consul: {secretRef: {name: rating}}}}
    search: {bindings: {consul: {secretRef: {name: elsewhere}}, consulAdmin: {secretRef: {name: admin-elsewhere}}}}
    stars: {}
`))
	if err != nil {
		t.Fatalf("resolve = error %v, want none", err)
	}
	got := map[string]string{}
	for _, s := range services {
		got[s.name] = text(s.spec.Bindings)
		if s.name == "movie" {
			got["upstreams"] = string(s.spec.Config.Raw)
		}
	}
	bound := func(own, admin string) string {
		return "consul:\n  secretRef:\n    name: " + own + "\nconsulAdmin:\n  secretRef:\n    name: " + admin + "\n"
	}
	want := map[string]string{
		"movie": bound("movie", "admin"), "rating": bound("rating", "admin"), "search": bound("elsewhere", "admin-elsewhere"), "stars": "null\n",
		"upstreams": `{"upstreams":{"rating":{"target":"consul:///cinema-movies-rating"},` +
			`"search":{"target":"dns:///movies-search.cinema.svc:8080"},"stars":{"target":"dns:///movies-stars.cinema.svc:8080"}}}`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("bindings and upstreams (-want +got):\n%s", diff)
	}
}

// TestDatabaseOnlyWhereNeeded: credentials of a database given to the whole application reach only services that use it.
func TestDatabaseOnlyWhereNeeded(t *testing.T) {
	services, err := resolve(read(t, `
metadata: {name: movies}
spec:
  image: {registry: r, tag: v1}
  bindings: {mysql: {secretRef: {name: db}}}
  services: {movie: {}, rating: {}}
`))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range services {
		if got, want := s.spec.Bindings != nil, s.name == "rating"; got != want {
			t.Errorf("%s has the database's binding = %v, want %v", s.name, got, want)
		}
	}
}

func TestResolveMistakes(t *testing.T) {
	for name, tc := range map[string]struct{ services, want string }{
		"circle of two":        {`{a: {dependsOn: [b]}, b: {dependsOn: [a]}}`, "spec.services: dependsOn goes in a circle: a → b → a. Remove one of these dependencies"},
		"circle behind others": {`{z: {}, m: {dependsOn: [a, z]}, a: {dependsOn: [b]}, b: {dependsOn: [c]}, c: {dependsOn: [a]}}`, "dependsOn goes in a circle: a → b → c → a."},
		"port of the preset":   {`{movie: {ports: {grpc: 8183}}}`, "spec.services.movie.ports: grpc 8183, http 8183 and admin 8093 must be three different ports"},
		"one Consul name":      {`{a: {consulName: x}, b: {consulName: x}}`, "spec.services.b.consulName: x is the name of a in Consul already"},
		"name of a canary":     {`{rating: {}, rating-canary: {}}`, "spec.services.rating-canary: the name is needed for the Service object movies-rating-canary of rating"},
		"config too large":     {`{a: {config: {x: "` + strings.Repeat("x", 200<<10) + `"}}}`, "spec.services.a is too large: config, env and podOverrides together have 200 KiB, at most 192 are possible"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := resolve(read(t, "{metadata: {name: movies}, spec: {image: {registry: r, tag: v1}, services: "+tc.services+"}}"))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("resolve = error %v, want one that says %q", err, tc.want)
			}
		})
	}
}
