package movieapp

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"

	"movieexample.com/fleet/api/v1alpha1"
)

// configured is a service's config with what the application says for all, and the address of each service that it depends
// on. What the user wrote for the service wins.
func configured(app *v1alpha1.MovieApp, s *service, services map[string]*service) (*runtime.RawExtension, error) {
	own, err := object(s.spec.Config)
	if err != nil {
		return nil, fmt.Errorf("spec.services.%s.config must be an object with keys and values: %w", s.name, err)
	}
	config := map[string]any{}
	overlay(config, telemetryConfig(app.Spec.Telemetry))
	overlay(config, authConfig(app, s, services))
	overlay(config, boundConfig(app, s))
	overlay(config, upstreams(app.Namespace, s, services))
	overlay(config, tlsConfig(app, s))
	overlay(config, flagsConfig(app, s))
	overlay(config, own)
	if len(config) == 0 {
		return nil, nil
	}
	raw, err := json.Marshal(config)
	if err != nil {
		return nil, fmt.Errorf("encode the config of %s: %w", s.name, err)
	}
	return &runtime.RawExtension{Raw: raw}, nil
}

// boundConfig lets the services of the presets use Kafka and Redis where they are bound. Events need the outbox, which is
// a table of the database.
func boundConfig(app *v1alpha1.MovieApp, s *service) map[string]any {
	config, b := map[string]any{}, s.spec.Bindings
	if b == nil {
		return nil
	}
	stored := s.spec.Storage == v1alpha1.StorageMySQL
	tells := stored && (s.name == "metadata" || s.name == "rating")
	if b.Kafka != nil && (tells || s.name == "movie") {
		config["events"] = map[string]any{"kind": "kafka"}
	}
	if b.Redis != nil && stored && s.name == "metadata" {
		config["cache"] = map[string]any{"shared": "redis", "prefix": app.Namespace + "/" + app.Name}
	}
	return config
}

// upstreams is where the services are that a service depends on.
func upstreams(namespace string, s *service, services map[string]*service) map[string]any {
	if len(s.dependsOn) == 0 {
		return nil
	}
	list := map[string]any{}
	for _, d := range s.dependsOn {
		list[d] = map[string]any{"target": target(namespace, s, services[d])}
	}
	return map[string]any{"upstreams": list}
}

const usualTraces = "0.01"

func telemetryConfig(t *v1alpha1.Telemetry) map[string]any {
	if t == nil || t.Traces == nil {
		return nil
	}
	traces := map[string]any{"endpoint": t.Traces.Endpoint, "ratio": json.Number(cmp.Or(t.Traces.Ratio, usualTraces))}
	return map[string]any{"telemetry": map[string]any{"traces": traces}}
}

// target is where from finds to: in Consul when both are in the same one, else by the name of its Service object.
func target(namespace string, from, to *service) string {
	f, t := from.spec.Bindings, to.spec.Bindings
	if f != nil && t != nil && f.Consul != nil && t.Consul != nil && sameConsul(f, t) {
		return "consul:///" + to.consulName(namespace)
	}
	// The name is completed by the pod's search list, so that it holds for every cluster domain.
	return fmt.Sprintf("dns:///%s.%s.svc:%d", to.fleetService, namespace, effectivePorts(&to.spec).GRPC)
}

// sameConsul: each service may have a token of its own, and so a Secret; what the operator uses tells that it is one Consul.
func sameConsul(a, b *v1alpha1.Bindings) bool {
	return cmp.Or(a.ConsulAdmin, a.Consul).SecretRef == cmp.Or(b.ConsulAdmin, b.Consul).SecretRef
}

func (s *service) consulName(namespace string) string {
	return cmp.Or(s.spec.ConsulName, namespace+"-"+s.fleetService)
}

// object reads a free-form field. Numbers keep their digits.
func object(raw *runtime.RawExtension) (map[string]any, error) {
	out := map[string]any{}
	if raw == nil || len(bytes.TrimSpace(raw.Raw)) == 0 {
		return out, nil
	}
	decoder := json.NewDecoder(bytes.NewReader(raw.Raw))
	decoder.UseNumber()
	if err := decoder.Decode(&out); err != nil {
		return nil, err
	}
	return out, nil
}

// overlay puts over on top of base, key by key; lists and values are replaced.
func overlay(base, over map[string]any) {
	for k, v := range over {
		b, isMap := base[k].(map[string]any)
		o, wantsMap := v.(map[string]any)
		if isMap && wantsMap {
			overlay(b, o)
			continue
		}
		base[k] = v
	}
}

// circle follows dependencies from one that is not done until a name comes again.
func circle(dependsOn map[string][]string, done map[string]bool) string {
	var path []string
	var name string
	for _, n := range slices.Sorted(maps.Keys(dependsOn)) {
		if !done[n] {
			name = n
			break
		}
	}
	for !slices.Contains(path, name) {
		path = append(path, name)
		next := slices.IndexFunc(dependsOn[name], func(d string) bool { return !done[d] })
		name = dependsOn[name][next]
	}
	return strings.Join(append(path[slices.Index(path, name):], name), " → ")
}
