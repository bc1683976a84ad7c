package movieapp

import (
	"encoding/json"

	"movieexample.com/fleet/api/v1alpha1"
)

// maxRelease keeps a release, in bytes, within what annotations may hold (256 KiB in all).
const maxRelease = 192 << 10

// release is the part of a spec that goes through the services in order, as canonical JSON. The rest (replicas, rollout,
// ownership) restarts nothing and is applied at once, even while a release is held. A FleetService carries the release
// it was told last in an annotation: so it is known after a restart, and put back when somebody edits it while held.
func release(spec v1alpha1.FleetServiceSpec) string {
	spec.Replicas, spec.Rollout, spec.Ownership, spec.DeletionPolicy = nil, nil, nil, ""
	raw, err := json.Marshal(spec)
	if err != nil {
		return "" // config and podOverrides come from the API server as JSON, so this is not reached
	}
	return string(raw)
}

// held is the spec of a service whose new release has to wait: the release before, and the rest from spec.
// It is false when the release before is not known; then nothing can be applied.
func held(before string, spec v1alpha1.FleetServiceSpec) (v1alpha1.FleetServiceSpec, bool) {
	out := v1alpha1.FleetServiceSpec{}
	if before == "" || json.Unmarshal([]byte(before), &out) != nil {
		return out, false
	}
	out.Replicas, out.Rollout, out.Ownership, out.DeletionPolicy = spec.Replicas, spec.Rollout, spec.Ownership, spec.DeletionPolicy
	if out.Storage == v1alpha1.StorageMemory && out.Replicas != nil && *out.Replicas > 1 {
		one := int32(1)
		out.Replicas = &one
	}
	return out, true
}
