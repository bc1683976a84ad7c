package render

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/strategicpatch"

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
	before, err := json.Marshal(base)
	if err != nil {
		return base, fmt.Errorf("encode the pod template: %w", err)
	}
	after, err := strategicpatch.StrategicMergePatch(before, raw.Raw, corev1.PodTemplateSpec{})
	if err != nil {
		return base, fmt.Errorf("spec.podOverrides is not a patch of a pod template: %w", err)
	}
	merged := corev1.PodTemplateSpec{}
	decoder := json.NewDecoder(bytes.NewReader(after))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&merged); err != nil {
		return base, fmt.Errorf("spec.podOverrides does not give a pod template: %w", err)
	}
	if err := refuse(&base, &merged); err != nil {
		return base, err
	}
	return merged, nil
}

// refuse rejects what would give the pods more than whoever writes the spec may have, or break selectors.
func refuse(base, merged *corev1.PodTemplateSpec) error {
	for key, value := range base.Labels {
		if merged.Labels[key] != value {
			return refused("metadata.labels."+key, "selectors rely on it")
		}
	}
	checks := []struct {
		changed    bool
		field, why string
	}{
		{merged.Spec.ServiceAccountName != base.Spec.ServiceAccountName || merged.Spec.DeprecatedServiceAccount != "", "spec.serviceAccountName", "the service has an account of its own without rights"},
		{merged.Spec.AutomountServiceAccountToken == nil || *merged.Spec.AutomountServiceAccountToken, "spec.automountServiceAccountToken", "services get no token"},
		{merged.Spec.HostNetwork || merged.Spec.HostPID || merged.Spec.HostIPC, "spec.hostNetwork, hostPID, hostIPC", "pods stay in namespaces of their own"},
		{merged.Spec.NodeName != "", "spec.nodeName", "use spec.scheduling.nodeSelector"},
		{len(merged.Spec.Containers) == 0 || indexOf(merged.Spec.Containers) < 0, "spec.containers", "the container \"" + ContainerName + "\" must stay"},
	}
	for _, c := range checks {
		if c.changed {
			return refused(c.field, c.why)
		}
	}
	if err := refuseVolumes(merged.Spec.Volumes); err != nil {
		return err
	}
	return refuseContainers(base, merged)
}

func refuseVolumes(volumes []corev1.Volume) error {
	for _, v := range volumes {
		if v.HostPath != nil {
			return refused("spec.volumes."+v.Name+".hostPath", "pods may not see the node's files")
		}
		if v.Projected != nil {
			for _, s := range v.Projected.Sources {
				if s.ServiceAccountToken != nil {
					return refused("spec.volumes."+v.Name+".projected.serviceAccountToken", "services get no token")
				}
			}
		}
	}
	return nil
}

func refuseContainers(base, merged *corev1.PodTemplateSpec) error {
	service := merged.Spec.Containers[indexOf(merged.Spec.Containers)]
	if !slices.Equal(service.Ports, base.Spec.Containers[0].Ports) {
		return refused("spec.containers."+ContainerName+".ports", "use spec.ports")
	}
	if service.Image != base.Spec.Containers[0].Image {
		return refused("spec.containers."+ContainerName+".image", "use spec.image")
	}
	for _, c := range slices.Concat(merged.Spec.InitContainers, merged.Spec.Containers) {
		if s := c.SecurityContext; s != nil && (isTrue(s.Privileged) || isTrue(s.AllowPrivilegeEscalation)) {
			return refused("spec.containers."+c.Name+".securityContext", "no privileged containers and no privilege escalation")
		}
		if s := c.SecurityContext; s != nil && s.Capabilities != nil && len(s.Capabilities.Add) > 0 {
			return refused("spec.containers."+c.Name+".securityContext.capabilities.add", "no capabilities are added")
		}
		for _, p := range c.Ports {
			if p.HostPort != 0 {
				return refused("spec.containers."+c.Name+".ports.hostPort", "pods open no ports on the node")
			}
		}
	}
	return nil
}

func refused(field, why string) error {
	return fmt.Errorf("spec.podOverrides may not set %s: %s", field, why)
}

func isTrue(b *bool) bool { return b != nil && *b }

func indexOf(containers []corev1.Container) int {
	return slices.IndexFunc(containers, func(c corev1.Container) bool { return c.Name == ContainerName })
}

// sortByName makes the order of volumes independent of map iteration: a template must render the same each time.
func sortByName(volumes []corev1.Volume, mounts []corev1.VolumeMount) {
	slices.SortFunc(volumes, func(a, b corev1.Volume) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(mounts, func(a, b corev1.VolumeMount) int { return strings.Compare(a.Name, b.Name) })
}
