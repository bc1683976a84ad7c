package render

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	podsecurity "k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"

	"movieexample.com/fleet/api/v1alpha1"
)

// labelPrefix is what every label of ours but the standard ones begins with.
const labelPrefix = "fleet.movieexample.com/"

// refuse rejects what would give the pods more than whoever writes the spec may have, or break what the operator
// relies on: selectors, ports, identity, config and bindings.
func refuse(base, merged *corev1.PodTemplateSpec) error {
	for _, check := range []func(base, merged *corev1.PodTemplateSpec) error{
		refuseMetadata, refusePod, refuseVolumes, refuseService, refuseSidecars, refuseUnrestricted,
	} {
		if err := check(base, merged); err != nil {
			return err
		}
	}
	return nil
}

func refuseMetadata(base, merged *corev1.PodTemplateSpec) error {
	for _, key := range sortedKeys(base.Labels) {
		if merged.Labels[key] != base.Labels[key] {
			return refused("metadata.labels."+key, "selectors rely on it")
		}
	}
	for _, key := range sortedKeys(merged.Labels) {
		if _, ours := base.Labels[key]; !ours && strings.HasPrefix(key, labelPrefix) {
			return refused("metadata.labels."+key, "labels that begin with "+labelPrefix+" are the operator's")
		}
	}
	if !equality.Semantic.DeepEqual(merged.ObjectMeta, metav1.ObjectMeta{Labels: merged.Labels, Annotations: merged.Annotations}) {
		return refused("metadata but labels and annotations", "pods get the rest from their ReplicaSet")
	}
	return nil
}

func refusePod(base, merged *corev1.PodTemplateSpec) error {
	b, m := &base.Spec, &merged.Spec
	for _, c := range []struct {
		changed    bool
		field, why string
	}{
		{len(m.Containers) == 0 || indexOf(m.Containers) < 0, "spec.containers", "the container \"" + ContainerName + "\" must stay"},
		{m.ServiceAccountName != b.ServiceAccountName || m.DeprecatedServiceAccount != "", "spec.serviceAccountName", "the service has an account of its own without rights"},
		{m.AutomountServiceAccountToken == nil || *m.AutomountServiceAccountToken, "spec.automountServiceAccountToken", "services get no token"},
		{m.NodeName != "", "spec.nodeName", "use spec.scheduling.nodeSelector"},
		{len(m.EphemeralContainers) > 0, "spec.ephemeralContainers", "use kubectl debug on a pod"},
		{!equality.Semantic.DeepEqual(m.TerminationGracePeriodSeconds, b.TerminationGracePeriodSeconds), "spec.terminationGracePeriodSeconds", "use spec.drainSeconds"},
	} {
		if c.changed {
			return refused(c.field, c.why)
		}
	}
	return nil
}

func refuseVolumes(base, merged *corev1.PodTemplateSpec) error {
	for _, want := range base.Spec.Volumes {
		if want.EmptyDir == nil && !slices.ContainsFunc(merged.Spec.Volumes, func(v corev1.Volume) bool { return equality.Semantic.DeepEqual(v, want) }) {
			return refused("spec.volumes."+want.Name, "it holds the service's config, binding or files")
		}
	}
	for _, v := range merged.Spec.Volumes {
		if v.HostPath != nil {
			return refused("spec.volumes."+v.Name+".hostPath", "pods may not see the node's files")
		}
		if v.Projected == nil {
			continue
		}
		for _, s := range v.Projected.Sources {
			if s.ServiceAccountToken != nil || s.PodCertificate != nil {
				return refused("spec.volumes."+v.Name+".projected", "services get no token and no certificate of the cluster's")
			}
		}
	}
	return nil
}

// refuseService holds on to what the service's own container must have.
func refuseService(base, merged *corev1.PodTemplateSpec) error {
	have, want := merged.Spec.Containers[indexOf(merged.Spec.Containers)], base.Spec.Containers[0]
	field := "spec.containers." + ContainerName
	if !slices.Equal(have.Ports, want.Ports) {
		return refused(field+".ports", "use spec.ports")
	}
	if have.Image != want.Image {
		return refused(field+".image", "use spec.image")
	}
	for _, e := range want.Env {
		if ownVariable(e.Name) && !slices.ContainsFunc(have.Env, func(v corev1.EnvVar) bool { return equality.Semantic.DeepEqual(v, e) }) {
			return refused(field+".env."+e.Name, "the service learns from it who it is")
		}
	}
	for _, m := range want.VolumeMounts {
		if !slices.ContainsFunc(have.VolumeMounts, func(v corev1.VolumeMount) bool { return equality.Semantic.DeepEqual(v, m) }) {
			return refused(field+".volumeMounts of "+m.MountPath, "the service reads its config and bindings there, and keeps its files")
		}
	}
	return nil
}

// refuseSidecars keeps the names of the service's ports for the service: Service objects find them by name.
func refuseSidecars(base, merged *corev1.PodTemplateSpec) error {
	for _, c := range slices.Concat(merged.Spec.InitContainers, merged.Spec.Containers) {
		if s := c.SecurityContext; s.Capabilities != nil && len(s.Capabilities.Add) > 0 {
			return refused("spec.containers."+c.Name+".securityContext.capabilities.add", "no capabilities are added")
		}
		for _, p := range c.Ports {
			taken := func(own corev1.ContainerPort) bool { return p.Name == own.Name || p.ContainerPort == own.ContainerPort }
			if c.Name != ContainerName && slices.ContainsFunc(base.Spec.Containers[0].Ports, taken) {
				return refused("spec.containers."+c.Name+".ports."+p.Name, "the service has a port of that name or number")
			}
		}
	}
	return nil
}

// refuseUnrestricted asks Kubernetes' own policy: whatever it knows to be more than the restricted standard is refused.
func refuseUnrestricted(_, merged *corev1.PodTemplateSpec) error {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		return fmt.Errorf("prepare the Pod Security checks: %w", err)
	}
	restricted := podsecurity.LevelVersion{Level: podsecurity.LevelRestricted, Version: podsecurity.LatestVersion()}
	result := policy.AggregateCheckResults(evaluator.EvaluatePod(restricted, &merged.ObjectMeta, &merged.Spec))
	if !result.Allowed {
		return fmt.Errorf("spec.podOverrides may not go beyond the restricted Pod Security Standard: %s", result.ForbiddenDetail())
	}
	return nil
}

func refused(field, why string) error {
	return fmt.Errorf("spec.podOverrides may not set %s: %s", field, why)
}

// ownVariable is true for the variables that the operator gives to every service.
func ownVariable(name string) bool {
	return slices.ContainsFunc(identity(&v1alpha1.FleetService{}, ""), func(e corev1.EnvVar) bool { return e.Name == name })
}
