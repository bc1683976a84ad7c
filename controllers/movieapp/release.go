package movieapp

import (
	"encoding/json"

	"movieexample.com/fleet/api/v1alpha1"
)

// maxRelease keeps a release, in bytes, within what annotations may hold (256 KiB in all).
const maxRelease = 192 << 10

// release is the part of a spec that goes through the services in order, as canonical JSON. The rest, the policies,
// restarts nothing and is applied at once, even while a release is held. A FleetService carries the release it was told
// last in an annotation: so it is known after a restart, and put back when somebody edits it while held.
func release(spec v1alpha1.FleetServiceSpec) string {
	raw, err := json.Marshal(withPolicies(spec, v1alpha1.FleetServiceSpec{}))
	if err != nil {
		return "" // config and podOverrides come from the API server as JSON, so this is not reached
	}
	return string(raw)
}

// held is the spec of a service whose new release has to wait: the release before with the policies of spec, but for
// what the release before cannot have. It is false when that is not known; then nothing can be applied.
func held(before string, spec v1alpha1.FleetServiceSpec) (v1alpha1.FleetServiceSpec, bool) {
	out := v1alpha1.FleetServiceSpec{}
	if before == "" || json.Unmarshal([]byte(before), &out) != nil {
		return out, false
	}
	out = withPolicies(out, spec)
	if out.Storage == v1alpha1.StorageMemory {
		out.Autoscaling = nil
	}
	if out.Storage == v1alpha1.StorageMemory && out.Replicas != nil && *out.Replicas > 1 {
		one := int32(1)
		out.Replicas = &one
	}
	unbound := out.Bindings == nil || out.Bindings.Consul == nil
	if unbound && out.Traffic != nil && out.Traffic.EastWest == v1alpha1.EastWestConsul {
		out.Traffic = out.Traffic.DeepCopy()
		out.Traffic.EastWest = ""
	}
	return out, true
}
