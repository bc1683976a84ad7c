package movieapp

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"movieexample.com/fleet/api/v1alpha1"
)

// TestEveryFieldIsMerged: for each field of a policy, also one that is added some day, a service has the application's
// where it says nothing, and its own where it does. So no field can be lost on the way.
func TestEveryFieldIsMerged(t *testing.T) {
	t.Run("rollout", func(t *testing.T) { mergesEachField(t, rollout) })
	t.Run("rollout.verdict", func(t *testing.T) { mergesEachField(t, verdict) })
	t.Run("ownership", func(t *testing.T) { mergesEachField(t, ownership) })
}

func mergesEachField[T any](t *testing.T, merge func(app, own *T) *T) {
	for i := range reflect.TypeFor[T]().NumField() {
		set := func(n int) *T {
			out := new(T)
			populate(reflect.ValueOf(out).Elem().Field(i), n)
			return out
		}
		app, own, nothing := set(1), set(2), new(T)
		for name, tc := range map[string]struct{ app, own, want *T }{
			"the application's": {app, nothing, app}, "its own": {nothing, own, own}, "its own over the application's": {app, own, own},
			"the application's, the service has no policy": {app, nil, app}, "its own, the application has no policy": {nil, own, own},
		} {
			t.Run(reflect.TypeFor[T]().Field(i).Name+", "+name, func(t *testing.T) {
				if diff := cmp.Diff(tc.want, merge(tc.app, tc.own)); diff != "" {
					t.Errorf("merged (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// populate sets a value and all that it holds to something that is not zero.
func populate(v reflect.Value, n int) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		populate(v.Elem(), n)
	case reflect.Struct:
		for i := range v.NumField() {
			populate(v.Field(i), n)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		populate(v.Index(0), n)
	case reflect.String:
		v.SetString(strings.Repeat("x", n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int32, reflect.Int64:
		v.SetInt(int64(n))
	case reflect.Uint8:
		v.SetUint(uint64(n))
	}
}

// TestEveryFieldIsReleaseOrPolicy fails for a field of which nobody said whether a change of it goes through the services
// in order or reaches them at once.
func TestEveryFieldIsReleaseOrPolicy(t *testing.T) {
	atOnce := []string{"autoscaling", "deletionPolicy", "objectives", "ownership", "replicas", "rollout", "signals", "traffic"}
	inOrder := []string{
		"args", "bindings", "config", "consulName", "consumer", "drainSeconds", "env", "featureFlags", "files", "image", "migrations", "podOverrides", "ports",
		"resources", "scheduling", "storage",
	}
	var got []string
	for _, name := range fieldsOf(reflect.TypeFor[v1alpha1.FleetServiceSpec]()) {
		value := map[string]string{"replicas": "1", "autoscaling": "{maxReplicas: 3}", "args": "[a]", "env": "[{name: A}]", "image": "i", "storage": "None", "consulName": "c",
			"consumer": "{group: g, partitions: 3, topic: t}", "drainSeconds": "3", "deletionPolicy": "Orphan", "featureFlags": "{configMapName: f}", "files": "{claimName: c}", "scheduling": "{priorityClassName: p}", "signals": "{interval: 1s}", "ownership": "{accountable: a}"}[name]
		if value == "" {
			value = "{}"
		}
		spec := v1alpha1.FleetServiceSpec{}
		if err := yaml.UnmarshalStrict([]byte(name+": "+value), &spec); err != nil {
			t.Fatalf("set %s: %v", name, err)
		}
		released := strings.Contains(release(spec), `"`+name+`":`+asJSON(t, value))
		if released == slices.Contains(atOnce, name) {
			t.Errorf("%s is part of the release = %v, want the opposite", name, released)
		}
		kept, known := held(`{"image":"before"}`, spec)
		reaches := strings.Contains(asJSON(t, text(kept)), `"`+name+`":`+asJSON(t, value))
		if !known || reaches != slices.Contains(atOnce, name) {
			t.Errorf("%s reaches a service whose release is held = %v, want %v", name, reaches, !reaches)
		}
		got = append(got, name)
	}
	slices.Sort(got)
	if diff := cmp.Diff(slices.Sorted(slices.Values(append(atOnce, inOrder...))), got); diff != "" {
		t.Errorf("fields of FleetServiceSpec (-decided +there):\n%s", diff)
	}
}

func fieldsOf(of reflect.Type) []string {
	var names []string
	for field := range of.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name == "" {
			names = append(names, fieldsOf(field.Type)...)
			continue
		}
		names = append(names, name)
	}
	return names
}

func asJSON(t *testing.T, text string) string {
	t.Helper()
	var v any
	if err := yaml.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// TestPolicies looks at one policy of one service for each rule of merging that the reflection above cannot see.
func TestPolicies(t *testing.T) {
	const gateway = `traffic: {northSouth: Gateway, gateway: {parentRefs: [{name: edge}], hostnames: [movies.example.com]}}`
	steps := func(s *v1alpha1.FleetServiceSpec) string { return text(s.Rollout) }
	traffic := func(s *v1alpha1.FleetServiceSpec) string { return text(s.Traffic) }
	for name, tc := range map[string]struct {
		app, services, of string
		get               func(*v1alpha1.FleetServiceSpec) string
		want              string
	}{
		"no policy anywhere":                 {``, `{rating: {}}`, "rating", steps, "null\n"},
		"steps, the application's":           {`rollout: {steps: [1, 50]}`, `{rating: {rollout: {bake: 5m}}}`, "rating", steps, "bake: 5m0s\nsteps:\n- 1\n- 50\n"},
		"steps of its own":                   {`rollout: {steps: [1, 50]}`, `{rating: {rollout: {steps: [10]}}}`, "rating", steps, "steps:\n- 10\n"},
		"steps emptied: blue-green":          {`rollout: {steps: [1, 50]}`, `{rating: {rollout: {steps: []}}}`, "rating", steps, "steps: []\n"},
		"blue-green for all":                 {`rollout: {steps: []}`, `{rating: {rollout: {bake: 5m}}}`, "rating", steps, "bake: 5m0s\nsteps: []\n"},
		"verdict field by field":             {`rollout: {verdict: {falseRollback: "0.001", tolerance: "2"}}`, `{rating: {rollout: {verdict: {tolerance: "3"}}}}`, "rating", steps, "verdict:\n  falseRollback: \"0.001\"\n  tolerance: \"3\"\n"},
		"all are paused":                     {`rollout: {paused: true}`, `{rating: {rollout: {bake: 5m}}}`, "rating", steps, "bake: 5m0s\npaused: true\n"},
		"all but one are paused":             {`rollout: {paused: true}`, `{rating: {rollout: {paused: false}}}`, "rating", steps, "paused: false\n"},
		"no traffic policy":                  {``, `{movie: {}}`, "movie", traffic, "null\n"},
		"the preset's paths at the Gateway":  {gateway, `{movie: {}}`, "movie", traffic, "gateway:\n  grpcServices:\n  - movie.v1.MovieService\n  hostnames:\n  - movies.example.com\n  parentRefs:\n  - name: edge\n  pathPrefixes:\n  - /v1/movies\nnorthSouth: Gateway\n"},
		"no paths, no Gateway":               {gateway, `{rating: {}}`, "rating", traffic, "null\n"},
		"paths of its own":                   {gateway, `{rating: {traffic: {gateway: {pathPrefixes: [/v1/ratings]}}}}`, "rating", traffic, "gateway:\n  hostnames:\n  - movies.example.com\n  parentRefs:\n  - name: edge\n  pathPrefixes:\n  - /v1/ratings\nnorthSouth: Gateway\n"},
		"the preset's paths emptied":         {gateway, `{movie: {traffic: {gateway: {pathPrefixes: []}}}}`, "movie", traffic, "gateway:\n  grpcServices:\n  - movie.v1.MovieService\n  hostnames:\n  - movies.example.com\n  parentRefs:\n  - name: edge\nnorthSouth: Gateway\n"},
		"another Gateway, no hostnames":      {gateway, `{movie: {traffic: {gateway: {parentRefs: [{name: inner}], hostnames: [], grpcServices: []}}}}`, "movie", traffic, "gateway:\n  parentRefs:\n  - name: inner\n  pathPrefixes:\n  - /v1/movies\nnorthSouth: Gateway\n"},
		"one that is not for the Gateway":    {gateway, `{movie: {traffic: {northSouth: None}}}`, "movie", traffic, "northSouth: None\n"},
		"one alone is for the Gateway":       {`traffic: {gateway: {parentRefs: [{name: edge}]}}`, `{rating: {traffic: {northSouth: Gateway, gateway: {pathPrefixes: [/v1/ratings]}}}}`, "rating", traffic, "gateway:\n  parentRefs:\n  - name: edge\n  pathPrefixes:\n  - /v1/ratings\nnorthSouth: Gateway\n"},
		"east-west for all":                  {`traffic: {eastWest: Replicas}`, `{rating: {}}`, "rating", traffic, "eastWest: Replicas\n"},
		"east-west of its own":               {`traffic: {eastWest: Replicas}`, `{rating: {traffic: {eastWest: Consul}}}`, "rating", traffic, "eastWest: Consul\n"},
		"objectives are the service's alone": {``, `{rating: {objectives: {errorPercent: "0.5"}}}`, "rating", func(s *v1alpha1.FleetServiceSpec) string { return text(s.Objectives) }, "errorPercent: \"0.5\"\n"},
		"signals are the service's alone":    {``, `{rating: {signals: {interval: 2s}}}`, "rating", func(s *v1alpha1.FleetServiceSpec) string { return text(s.Signals) }, "interval: 2s\n"},
	} {
		t.Run(name, func(t *testing.T) {
			services, err := resolve(read(t, "metadata: {name: movies}\nspec:\n  image: {registry: r, tag: v1}\n  "+tc.app+"\n  services: "+tc.services))
			if err != nil {
				t.Fatalf("resolve = error %v, want none", err)
			}
			i := slices.IndexFunc(services, func(s service) bool { return s.name == tc.of })
			if diff := cmp.Diff(tc.want, tc.get(&services[i].spec)); diff != "" {
				t.Errorf("%s of %s (-want +got):\n%s", name, tc.of, diff)
			}
		})
	}
}

// TestHeldFits: policies that come at once must not contradict the release that a service still has.
func TestHeldFits(t *testing.T) {
	const consul = `bindings: {consul: {secretRef: {name: c}}}`
	for name, tc := range map[string]struct{ before, now, want string }{
		"replicas for a memory that is not left yet": {`{storage: Memory}`, `{storage: MySQL, replicas: 3}`, "image: \"\"\nreplicas: 1\nstorage: Memory\n"},
		"Consul that is not bound yet":               {`{}`, `{traffic: {eastWest: Consul}, ` + consul + `}`, "image: \"\"\ntraffic: {}\n"},
		"Consul that is bound":                       {`{` + consul + `}`, `{traffic: {eastWest: Consul}}`, "bindings:\n  consul:\n    secretRef:\n      name: c\nimage: \"\"\ntraffic:\n  eastWest: Consul\n"},
	} {
		t.Run(name, func(t *testing.T) {
			now := v1alpha1.FleetServiceSpec{}
			if err := yaml.UnmarshalStrict([]byte(tc.now), &now); err != nil {
				t.Fatal(err)
			}
			asked := text(now)
			got, known := held(asJSON(t, tc.before), now)
			if diff := cmp.Diff(tc.want, text(got)); !known || diff != "" {
				t.Errorf("held = %v (-want +got):\n%s", known, diff)
			}
			if diff := cmp.Diff(asked, text(now)); diff != "" {
				t.Errorf("held changed what is asked for (-before +after):\n%s", diff)
			}
		})
	}
}
