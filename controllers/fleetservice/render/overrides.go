package render

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/utils/ptr"

	"movieexample.com/fleet/api/v1alpha1"
)

// Template is the pod template of a revision: the typed knobs, and podOverrides on top.
// The error names the field of podOverrides that is refused or cannot be merged.
func Template(fs *v1alpha1.FleetService, hash string) (corev1.PodTemplateSpec, error) {
	base := podTemplate(fs, hash)
	raw := fs.Spec.PodOverrides
	if raw == nil || len(bytes.TrimSpace(raw.Raw)) == 0 {
		return base, nil
	}
	merged, err := merge(&base, raw.Raw)
	if err != nil {
		return base, err
	}
	confine(merged.Spec.InitContainers)
	confine(merged.Spec.Containers)
	if err := refuse(&base, merged); err != nil {
		return base, err
	}
	serviceFirst(merged.Spec.Containers)
	return *merged, nil
}

func merge(base *corev1.PodTemplateSpec, patch []byte) (*corev1.PodTemplateSpec, error) {
	before, err := json.Marshal(base)
	if err != nil {
		return nil, fmt.Errorf("encode the pod template: %w", err)
	}
	after, err := strategicpatch.StrategicMergePatch(before, patch, corev1.PodTemplateSpec{})
	if err != nil {
		return nil, fmt.Errorf("spec.podOverrides is not a patch of a pod template: %w", err)
	}
	merged := &corev1.PodTemplateSpec{}
	decoder := json.NewDecoder(bytes.NewReader(after))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(merged); err != nil {
		return nil, fmt.Errorf("spec.podOverrides does not give a pod template: %w", err)
	}
	return merged, nil
}

// confine gives every container that does not say otherwise what the restricted Pod Security Standard asks for, so
// that a sidecar needs no security context of its own.
func confine(containers []corev1.Container) {
	for i := range containers {
		c := &containers[i]
		if c.SecurityContext == nil {
			c.SecurityContext = &corev1.SecurityContext{}
		}
		if c.SecurityContext.AllowPrivilegeEscalation == nil {
			c.SecurityContext.AllowPrivilegeEscalation = ptr.To(false)
		}
		if c.SecurityContext.Capabilities == nil {
			c.SecurityContext.Capabilities = &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}
		}
	}
}

// serviceFirst puts the service before its sidecars: kubectl logs and exec mean the first container.
func serviceFirst(containers []corev1.Container) {
	slices.SortStableFunc(containers, func(a, b corev1.Container) int {
		return cmp.Compare(sidecar(a), sidecar(b))
	})
}

func sidecar(c corev1.Container) int {
	if c.Name == ContainerName {
		return 0
	}
	return 1
}

func indexOf(containers []corev1.Container) int {
	return slices.IndexFunc(containers, func(c corev1.Container) bool { return c.Name == ContainerName })
}
