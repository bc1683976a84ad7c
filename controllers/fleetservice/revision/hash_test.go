package revision_test

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/fleetservice/revision"
)

const image = `"image":"ghcr.io/movieexample/rating:1.4.0"`

// service is movies/rating with a spec in JSON, read as the API server's answers are.
func service(t interface{ Fatalf(string, ...any) }, spec string) *v1alpha1.FleetService {
	fs := &v1alpha1.FleetService{ObjectMeta: metav1.ObjectMeta{Namespace: "movies", Name: "rating"}}
	if err := json.Unmarshal([]byte(spec), &fs.Spec); err != nil {
		t.Fatalf("spec %s: %v", spec, err)
	}
	return fs
}

func hash(t *testing.T, fields ...string) string {
	t.Helper()
	spec := "{" + strings.Join(append([]string{image}, fields...), ",") + "}"
	h, err := revision.Hash(service(t, spec))
	if err != nil {
		t.Fatalf("Hash(%s) = %v", spec, err)
	}
	return h
}

func TestHashIsANameAndALabel(t *testing.T) {
	if h := hash(t); !regexp.MustCompile(`^[a-z2-7]{10}$`).MatchString(h) {
		t.Errorf("Hash = %q, want ten lower-case base32 characters", h)
	}
}

func TestHashSame(t *testing.T) {
	const consul = `"bindings":{"consul":{"secretRef":{"name":"c"}}}`
	for name, test := range map[string]struct{ a, b string }{
		"config, empty":                 {``, `"config":{}`},
		"config, null":                  {``, `"config":null`},
		"config, order of keys":         {`"config":{"a":1,"b":{"c":2,"d":3}}`, `"config":{"b":{"d":3,"c":2},"a":1}`},
		"config, white space":           {`"config":{"a":[1,2]}`, "\"config\" : {\n \"a\" :\t[ 1, 2 ] }"},
		"podOverrides, empty":           {``, `"podOverrides":{}`},
		"podOverrides, order of keys":   {`"podOverrides":{"spec":{"hostname":"a","subdomain":"b"}}`, `"podOverrides":{"spec":{"subdomain":"b","hostname":"a"}}`},
		"storage, default":              {``, `"storage":"None"`},
		"ports, none":                   {``, `"ports":{}`},
		"ports, defaults":               {``, `"ports":{"grpc":8080,"http":8180,"admin":8090}`},
		"ports, one default":            {`"ports":{"http":9000}`, `"ports":{"http":9000,"grpc":8080}`},
		"drainSeconds, default":         {``, `"drainSeconds":10`},
		"resources, none":               {``, `"resources":{"requests":{},"limits":{}}`},
		"resources, default requests":   {``, `"resources":{"requests":{"cpu":"50m","memory":"64Mi"}}`},
		"resources, default limits":     {``, `"resources":{"limits":{"memory":"0.25Gi"}}`},
		"resources, other units":        {`"resources":{"requests":{"cpu":"1"}}`, `"resources":{"requests":{"cpu":"1000m"}}`},
		"resources, binary units":       {`"resources":{"limits":{"memory":"1Gi"}}`, `"resources":{"limits":{"memory":"1024Mi"}}`},
		"bindings, none":                {``, `"bindings":{}`},
		"bindings.mysql.allowShared":    {`"bindings":{"mysql":{"secretRef":{"name":"m"}}}`, `"bindings":{"mysql":{"secretRef":{"name":"m"},"allowShared":true}}`},
		"bindings.consulAdmin":          {consul, `"bindings":{"consul":{"secretRef":{"name":"c"}},"consulAdmin":{"secretRef":{"name":"a"}}}`},
		"consulName, default":           {consul, consul + `,"consulName":"movies-rating"`},
		"consulName, without a binding": {``, `"consulName":"ratings"`},
		"scheduling, none":              {``, `"scheduling":{"nodeSelector":{},"tolerations":[]}`},
		"args, none":                    {``, `"args":[]`},
		"env, none":                     {``, `"env":[]`},
		"env, empty value":              {`"env":[{"name":"A"}]`, `"env":[{"name":"A","value":""}]`},
		"replicas":                      {``, `"replicas":7`},
		"rollout":                       {``, `"rollout":{"startDeadline":"90s","revisionHistoryLimit":3}`},
		"ownership":                     {``, `"ownership":{"accountable":"a@example.com","support":"#movies","oncall":"PD"}`},
		"objectives":                    {``, `"objectives":{"errorPercent":"0.5","latency":{"boundMilliseconds":100}}`},
		"traffic":                       {``, `"traffic":{"eastWest":"Replicas"}`},
		"signals":                       {``, `"signals":{"interval":"2s"}`},
		"migrations":                    {``, `"migrations":{"args":["migrate","up"]}`},
		"deletionPolicy":                {``, `"deletionPolicy":"Orphan"`},
		"consumer":                      {``, `"consumer":{"topic":"ratings","group":"rating","partitions":3}`},
	} {
		t.Run(name, func(t *testing.T) {
			if a, b := hash(t, some(test.a)...), hash(t, some(test.b)...); a != b {
				t.Errorf("Hash = %s with %q and %s with %q, want one revision", a, test.a, b, test.b)
			}
		})
	}
}

func some(fields string) []string {
	if fields == "" {
		return nil
	}
	return []string{fields}
}

func TestHashRefuses(t *testing.T) {
	for name, test := range map[string]struct{ fields, want string }{
		"config that is a list":       {`"config":[1]`, "spec.config must be an object with keys and values"},
		"config that is text":         {`"config":"level: debug"`, "spec.config must be an object with keys and values"},
		"podOverrides that is a list": {`"podOverrides":[]`, "spec.podOverrides must be an object with keys and values"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := revision.Hash(service(t, "{"+image+","+test.fields+"}"))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Hash = %v, want an error with %q", err, test.want)
			}
		})
	}
}

// TestHashSurvivesTheAPIServer holds for any spec: what is stored as JSON and read again is the same revision.
func TestHashSurvivesTheAPIServer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spec := specs().Draw(t, "spec")
		raw, err := json.Marshal(spec)
		if err != nil {
			t.Fatalf("encode: %v", err)
		}
		before, err := revision.Hash(service(t, string(raw)))
		if err != nil {
			t.Fatalf("Hash: %v", err)
		}
		again, err := json.Marshal(service(t, string(raw)).Spec)
		if err != nil {
			t.Fatalf("encode again: %v", err)
		}
		after, err := revision.Hash(service(t, string(again)))
		if err != nil || before != after {
			t.Fatalf("Hash = %s and %s (%v), want equal\n%s\n%s", before, after, err, raw, again)
		}
	})
}

// specs draws specs as people write them: fields in any combination.
func specs() *rapid.Generator[map[string]any] {
	word := rapid.StringMatching(`[a-z][a-z0-9-]{0,8}[a-z0-9]`)
	free := rapid.MapOf(rapid.String(), rapid.OneOf(
		rapid.Map(rapid.Float64Range(-1e18, 1e18), asAny), rapid.Map(rapid.Int64(), asAny), rapid.Map(rapid.String(), asAny),
		rapid.Map(rapid.Bool(), asAny), rapid.Just[any](nil), rapid.Map(rapid.SliceOf(rapid.String()), asAny),
	))
	port := rapid.Map(rapid.Int32Range(1024, 65535), asAny)
	fields := map[string]*rapid.Generator[any]{
		"args":         rapid.Map(rapid.SliceOfN(rapid.String(), 0, 4), asAny),
		"config":       rapid.Map(free, asAny),
		"podOverrides": rapid.Map(free, asAny),
		"storage":      rapid.Map(rapid.SampledFrom([]string{"None", "MySQL", "Memory"}), asAny),
		"ports":        rapid.Map(rapid.MapOf(rapid.SampledFrom([]string{"grpc", "http", "admin"}), port), asAny),
		"consulName":   rapid.Map(word, asAny),
		"drainSeconds": rapid.Map(rapid.Int32Range(1, 600), asAny),
		"replicas":     rapid.Map(rapid.Int32Range(0, 9), asAny),
		"resources": rapid.Map(rapid.SampledFrom([]string{"100m", "0.1", "1", "1Gi", "1024Mi", "1e3", "1500m"}), func(q string) any {
			return map[string]any{"requests": map[string]string{"cpu": q}, "limits": map[string]string{"memory": q}}
		}),
		"scheduling": rapid.Map(rapid.MapOf(word, word), func(m map[string]string) any { return map[string]any{"nodeSelector": m} }),
		"bindings": rapid.Map(word, func(s string) any {
			return map[string]any{"consul": map[string]any{"secretRef": map[string]string{"name": s}}}
		}),
	}
	return rapid.Custom(func(t *rapid.T) map[string]any {
		spec := map[string]any{"image": "ghcr.io/movieexample/" + word.Draw(t, "image") + ":1"}
		for _, name := range rapid.SliceOfDistinct(rapid.SampledFrom(keys(fields)), rapid.ID[string]).Draw(t, "fields") {
			spec[name] = fields[name].Draw(t, name)
		}
		return spec
	})
}

func asAny[T any](v T) any { return v }

func keys(m map[string]*rapid.Generator[any]) []string { return slices.Sorted(maps.Keys(m)) }
