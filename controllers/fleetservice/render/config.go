package render

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"strings"

	"sigs.k8s.io/yaml"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/fleetservice/revision"
)

// reserved are the keys of the config that the operator writes, and the field to set instead.
var reserved = map[string]string{
	"api": "spec.ports.grpc", "rest": "spec.ports.http", "admin": "spec.ports.admin",
	"storage": "spec.storage", "discovery": "spec.bindings.consul and spec.consulName",
	"shutdown": "spec.drainSeconds",
}

// propagationSeconds is how long an instance keeps serving after it left the registry, so that callers hear of it.
const propagationSeconds = 2

// Config is the file that a service reads: the user's config and what the operator knows.
// The error is about a key that the operator writes itself.
func Config(fs *v1alpha1.FleetService) (string, error) {
	config, err := ownConfig(fs)
	if err != nil {
		return "", err
	}
	ports := revision.Ports(&fs.Spec)
	if fs.Spec.Consumer == nil {
		config["api"] = map[string]any{"port": ports.GRPC}
		config["rest"] = map[string]any{"port": ports.HTTP}
	}
	config["admin"] = map[string]any{"port": ports.Admin}
	config["shutdown"] = map[string]any{
		"propagation": fmt.Sprintf("%ds", propagationSeconds),
		"deadline":    fmt.Sprintf("%ds", max(revision.DrainSeconds(&fs.Spec)-propagationSeconds, 1)),
	}
	if s := fs.Spec.Storage; s == v1alpha1.StorageMySQL || s == v1alpha1.StorageMemory {
		config["storage"] = map[string]any{"kind": strings.ToLower(string(s))}
	}
	if b := fs.Spec.Bindings; b != nil && b.Consul != nil {
		config["discovery"] = map[string]any{"kind": "consul", "name": revision.ConsulName(fs)}
	}
	if fs.Spec.Files != nil {
		if err := withPath(config, "files", filesDir, "spec.files.claimName names the volume"); err != nil {
			return "", err
		}
	}
	if fs.Spec.FeatureFlags != nil {
		if err := withPath(config, "flags", path.Join(flagsDir, flagsFile), "spec.featureFlags.configMapName names the ConfigMap"); err != nil {
			return "", err
		}
	}
	out, err := yaml.Marshal(config)
	if err != nil {
		return "", fmt.Errorf("write the config: %w", err)
	}
	return string(out), nil
}

// withPath says where something is mounted, beside what the user wrote about it.
func withPath(config map[string]any, key, place, instead string) error {
	part, ok := config[key].(map[string]any)
	if _, set := config[key]; set && !ok {
		return fmt.Errorf("spec.config.%s must be an object with keys and values", key)
	}
	if _, set := part["path"]; set {
		return fmt.Errorf("spec.config.%s.path is written by the operator: leave it out, %s", key, instead)
	}
	part = maps.Clone(part)
	if part == nil {
		part = map[string]any{}
	}
	part["path"] = place
	config[key] = part
	return nil
}

// ownConfig is the user's part.
func ownConfig(fs *v1alpha1.FleetService) (map[string]any, error) {
	config := map[string]any{}
	if raw := fs.Spec.Config; raw != nil && len(bytes.TrimSpace(raw.Raw)) > 0 {
		decoder := json.NewDecoder(bytes.NewReader(raw.Raw))
		decoder.UseNumber() // a large number must stay what it is
		if err := decoder.Decode(&config); err != nil {
			return nil, fmt.Errorf("spec.config must be an object with keys and values: %w", err)
		}
	}
	for _, key := range sortedKeys(reserved) {
		if _, set := config[key]; set {
			return nil, fmt.Errorf("spec.config.%s is written by the operator: set %s instead", key, reserved[key])
		}
	}
	if config == nil { // "null" decodes to it
		config = map[string]any{}
	}
	return config, nil
}
