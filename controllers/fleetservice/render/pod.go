package render

import (
	"maps"
	"path"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/fleetservice/revision"
)

// graceSeconds is what a pod gets beyond its drain time before it is killed.
const graceSeconds = 5

// podTemplate is the pod of a revision before podOverrides.
func podTemplate(fs *v1alpha1.FleetService, hash string) corev1.PodTemplateSpec {
	spec := podSpec(fs, hash)
	spec.Containers[0].Ports = containerPorts(fs)
	spec.Containers[0].ReadinessProbe = probe("/readyz", 2, 2)
	spec.Containers[0].LivenessProbe = probe("/healthz", 10, 3)
	spec.TopologySpreadConstraints = spread(fs, hash)
	return corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: revisionLabels(fs, hash)}, Spec: spec}
}

// podSpec is what the pods of a service and of its migrations have in common.
func podSpec(fs *v1alpha1.FleetService, hash string) corev1.PodSpec {
	volumes, mounts := mounts(fs, hash)
	spec := corev1.PodSpec{
		ServiceAccountName:            fs.Name,
		AutomountServiceAccountToken:  ptr.To(false),
		EnableServiceLinks:            ptr.To(false),
		TerminationGracePeriodSeconds: ptr.To(int64(revision.DrainSeconds(&fs.Spec) + graceSeconds)),
		SecurityContext: &corev1.PodSecurityContext{
			RunAsNonRoot: ptr.To(true), RunAsUser: ptr.To[int64](nonRoot), RunAsGroup: ptr.To[int64](nonRoot), FSGroup: ptr.To[int64](nonRoot),
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
		Volumes: volumes,
		Containers: []corev1.Container{{
			Name: ContainerName, Image: fs.Spec.Image, ImagePullPolicy: corev1.PullIfNotPresent,
			Args: fs.Spec.Args, Env: env(fs, hash), Resources: revision.Resources(&fs.Spec), VolumeMounts: mounts,
			// The last log lines of a container that failed stand in its status, and so in our conditions.
			TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError,
			SecurityContext: &corev1.SecurityContext{
				AllowPrivilegeEscalation: ptr.To(false), ReadOnlyRootFilesystem: ptr.To(true),
				Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
			},
		}},
	}
	if s := fs.Spec.Scheduling; s != nil {
		spec.NodeSelector, spec.PriorityClassName = s.NodeSelector, s.PriorityClassName
		for _, t := range s.Tolerations {
			spec.Tolerations = append(spec.Tolerations, corev1.Toleration(t))
		}
	}
	return spec
}

func containerPorts(fs *v1alpha1.FleetService) []corev1.ContainerPort {
	p := revision.Ports(&fs.Spec)
	if fs.Spec.Consumer != nil {
		return []corev1.ContainerPort{{Name: "admin", ContainerPort: p.Admin, Protocol: corev1.ProtocolTCP}}
	}
	return []corev1.ContainerPort{
		{Name: "grpc", ContainerPort: p.GRPC, Protocol: corev1.ProtocolTCP},
		{Name: "http", ContainerPort: p.HTTP, Protocol: corev1.ProtocolTCP},
		{Name: "admin", ContainerPort: p.Admin, Protocol: corev1.ProtocolTCP},
	}
}

func probe(path string, period, failures int32) *corev1.Probe {
	return &corev1.Probe{
		ProbeHandler:  corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: path, Port: intstr.FromString("admin")}},
		PeriodSeconds: period, FailureThreshold: failures, TimeoutSeconds: 2,
	}
}

// identity is the variables by which a service learns who it is.
func identity(fs *v1alpha1.FleetService, hash string) []corev1.EnvVar {
	return []corev1.EnvVar{
		field("POD_NAME", "metadata.name"), field("POD_NAMESPACE", "metadata.namespace"),
		field("POD_UID", "metadata.uid"), field("POD_IP", "status.podIP"),
		{Name: "FLEET_APP", Value: AppName(fs)}, {Name: "FLEET_SERVICE", Value: fs.Name}, {Name: "FLEET_REVISION", Value: hash},
		{Name: "FLEET_CONFIG", Value: path.Join(configDir, configFile)}, {Name: "SERVICE_BINDING_ROOT", Value: bindingRoot},
	}
}

func env(fs *v1alpha1.FleetService, hash string) []corev1.EnvVar {
	vars := identity(fs, hash)
	for _, e := range fs.Spec.Env {
		v := corev1.EnvVar{Name: e.Name, Value: e.Value}
		if ref := e.SecretKeyRef; ref != nil {
			v.ValueFrom = &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
				LocalObjectReference: corev1.LocalObjectReference{Name: ref.Name}, Key: ref.Key,
			}}
		}
		vars = append(vars, v)
	}
	return vars
}

func field(name, path string) corev1.EnvVar {
	return corev1.EnvVar{Name: name, ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: path}}}
}

// mounts are the config, the bindings as live directories, a scratch directory, and the volume for files.
func mounts(fs *v1alpha1.FleetService, hash string) ([]corev1.Volume, []corev1.VolumeMount) {
	volumes := []corev1.Volume{
		{Name: "config", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
			LocalObjectReference: corev1.LocalObjectReference{Name: RevisionName(fs.Name, hash)},
		}}},
		{Name: "tmp", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{SizeLimit: ptr.To(resource.MustParse("64Mi"))}}},
	}
	mounts := []corev1.VolumeMount{{Name: "config", MountPath: configDir, ReadOnly: true}, {Name: "tmp", MountPath: "/tmp"}}
	if f := fs.Spec.Files; f != nil {
		volumes = append(volumes, corev1.Volume{Name: "files", VolumeSource: corev1.VolumeSource{
			PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: f.ClaimName},
		}})
		mounts = append(mounts, corev1.VolumeMount{Name: "files", MountPath: filesDir})
	}
	if f := fs.Spec.FeatureFlags; f != nil {
		volumes = append(volumes, corev1.Volume{Name: "flags", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
			LocalObjectReference: corev1.LocalObjectReference{Name: f.ConfigMapName},
			Optional:             ptr.To(true), // a service goes by its defaults, and must start, where it is gone
		}}})
		mounts = append(mounts, corev1.VolumeMount{Name: "flags", MountPath: flagsDir, ReadOnly: true})
	}
	secrets := bindingSecrets(fs)
	for _, name := range sortedKeys(secrets) {
		secret := secrets[name]
		volumes = append(volumes, corev1.Volume{Name: "binding-" + name, VolumeSource: corev1.VolumeSource{
			Secret: &corev1.SecretVolumeSource{SecretName: secret, DefaultMode: ptr.To[int32](0o440)},
		}})
		mounts = append(mounts, corev1.VolumeMount{Name: "binding-" + name, MountPath: path.Join(bindingRoot, name), ReadOnly: true})
	}
	return volumes, mounts
}

func bindingSecrets(fs *v1alpha1.FleetService) map[string]string {
	secrets := map[string]string{}
	if b := fs.Spec.Bindings; b != nil {
		if b.Consul != nil {
			secrets["consul"] = b.Consul.SecretRef.Name
		}
		if b.MySQL != nil {
			secrets["mysql"] = b.MySQL.SecretRef.Name
		}
		if b.Kafka != nil {
			secrets["kafka"] = b.Kafka.SecretRef.Name
		}
		if b.AuthKeys != nil {
			secrets["auth-keys"] = b.AuthKeys.SecretRef.Name
		}
		if b.Redis != nil {
			secrets["redis"] = b.Redis.SecretRef.Name
		}
		if b.TLS != nil {
			secrets["tls"] = b.TLS.SecretRef.Name
		}
	}
	return secrets
}

// sortedKeys makes what is rendered from a map, and what is said about it, the same each time.
func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }

// spread asks for pods on different nodes and zones, and does not insist.
func spread(fs *v1alpha1.FleetService, hash string) []corev1.TopologySpreadConstraint {
	selector := &metav1.LabelSelector{MatchLabels: RevisionSelector(fs.Name, hash)}
	over := func(key string) corev1.TopologySpreadConstraint {
		return corev1.TopologySpreadConstraint{MaxSkew: 1, TopologyKey: key, WhenUnsatisfiable: corev1.ScheduleAnyway, LabelSelector: selector}
	}
	return []corev1.TopologySpreadConstraint{over(corev1.LabelHostname), over(corev1.LabelTopologyZone)}
}
