package render

import (
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/fleetservice/revision"
)

// migrationRetries is how often a failed migration is tried again. An unreachable database is no failure: the
// program waits for it.
const migrationRetries = 2

// Snapshot renders what a new revision will always be applied from.
func Snapshot(fs *v1alpha1.FleetService, hash string) (*revision.Snapshot, error) {
	config, err := Config(fs)
	if err != nil {
		return nil, err
	}
	template, err := Template(fs, hash)
	if err != nil {
		return nil, err
	}
	return &revision.Snapshot{Image: fs.Spec.Image, Config: config, Template: template}, nil
}

// ControllerRevision stores a snapshot; number orders the history.
func ControllerRevision(fs *v1alpha1.FleetService, hash string, s *revision.Snapshot, number int64) (*appsv1.ControllerRevision, error) {
	raw, err := s.Encode()
	if err != nil {
		return nil, err
	}
	return &appsv1.ControllerRevision{
		ObjectMeta: meta(fs, RevisionName(fs.Name, hash), revisionLabels(fs, hash)),
		Data:       runtime.RawExtension{Raw: raw}, Revision: number,
	}, nil
}

// ConfigMap holds a revision's config file.
func ConfigMap(fs *v1alpha1.FleetService, hash string, s *revision.Snapshot) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		ObjectMeta: meta(fs, RevisionName(fs.Name, hash), revisionLabels(fs, hash)),
		Data:       map[string]string{configFile: s.Config}, Immutable: ptr.To(true),
	}
}

// Evidence keeps what was counted during a rollout, so that a restart of the operator loses none of it.
func Evidence(fs *v1alpha1.FleetService, saved string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: meta(fs, EvidenceName(fs.Name), labels(fs)), Data: map[string]string{EvidenceFile: saved}}
}

// Deployment runs a revision.
func Deployment(fs *v1alpha1.FleetService, hash string, s *revision.Snapshot, replicas int32) *appsv1.Deployment {
	d := &appsv1.Deployment{
		ObjectMeta: meta(fs, RevisionName(fs.Name, hash), revisionLabels(fs, hash)),
		Spec: appsv1.DeploymentSpec{
			Replicas: ptr.To(replicas),
			Selector: &metav1.LabelSelector{MatchLabels: RevisionSelector(fs.Name, hash)},
			Template: s.Template,
			// The template of a revision changes only from a shadow's, which is never wanted again: one ReplicaSet is enough.
			RevisionHistoryLimit:    ptr.To[int32](0),
			ProgressDeadlineSeconds: ptr.To[int32](600),
		},
	}
	d.Annotations = ownership(fs)
	return d
}

// ServiceAccount is the service's own identity; it has no rights and its token is mounted nowhere.
func ServiceAccount(fs *v1alpha1.FleetService) *corev1.ServiceAccount {
	return &corev1.ServiceAccount{ObjectMeta: meta(fs, fs.Name, labels(fs)), AutomountServiceAccountToken: ptr.To(false)}
}

// Services are the Service objects that follow traffic: the name that callers know selects the stable revision, the
// canary's the revision on trial (stable where there is none).
func Services(fs *v1alpha1.FleetService, stable, canary string) []*corev1.Service {
	if canary == "" {
		canary = stable
	}
	return []*corev1.Service{
		service(fs, fs.Name, RevisionSelector(fs.Name, stable)),
		service(fs, CanaryName(fs.Name), RevisionSelector(fs.Name, canary)),
	}
}

// Headless is the Service object over every live pod, for scrapes and providers.
func Headless(fs *v1alpha1.FleetService) *corev1.Service {
	all := service(fs, AllName(fs.Name), PodSelector(fs.Name))
	all.Spec.ClusterIP = corev1.ClusterIPNone
	return all
}

func service(fs *v1alpha1.FleetService, name string, selector map[string]string) *corev1.Service {
	s := &corev1.Service{ObjectMeta: meta(fs, name, labels(fs)), Spec: corev1.ServiceSpec{Selector: selector}}
	for _, p := range containerPorts(fs) {
		port := corev1.ServicePort{Name: p.Name, Port: p.ContainerPort, TargetPort: intstr.FromString(p.Name), Protocol: p.Protocol}
		if p.Name == "grpc" {
			port.AppProtocol = ptr.To("kubernetes.io/h2c")
		}
		s.Spec.Ports = append(s.Spec.Ports, port)
	}
	s.Annotations = ownership(fs)
	return s
}

// DisruptionBudget lets drains take one pod of the service at a time, over all revisions. A service with one
// replica has none: it would block every drain.
func DisruptionBudget(fs *v1alpha1.FleetService) *policyv1.PodDisruptionBudget {
	return &policyv1.PodDisruptionBudget{
		ObjectMeta: meta(fs, fs.Name, labels(fs)),
		Spec: policyv1.PodDisruptionBudgetSpec{
			MaxUnavailable: ptr.To(intstr.FromInt32(1)),
			Selector:       &metav1.LabelSelector{MatchLabels: PodSelector(fs.Name)},
		},
	}
}

// Autoscaler owns replicas of the service through its /scale.
func Autoscaler(fs *v1alpha1.FleetService) *autoscalingv2.HorizontalPodAutoscaler {
	a := ptr.Deref(fs.Spec.Autoscaling, v1alpha1.Autoscaling{})
	return &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: meta(fs, fs.Name, labels(fs)),
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{
				APIVersion: v1alpha1.GroupVersion.String(), Kind: "FleetService", Name: fs.Name,
			},
			MinReplicas: ptr.To(a.MinReplicas),
			MaxReplicas: a.MaxReplicas,
			Metrics: []autoscalingv2.MetricSpec{{
				Type: autoscalingv2.ResourceMetricSourceType,
				Resource: &autoscalingv2.ResourceMetricSource{
					Name:   corev1.ResourceCPU,
					Target: autoscalingv2.MetricTarget{Type: autoscalingv2.UtilizationMetricType, AverageUtilization: ptr.To(a.CPUUtilizationPercent)},
				},
			}},
		},
	}
}

// MigrationJob runs the migrations of a revision's image before its first pod. Of podOverrides it follows
// imagePullSecrets: without them the image of a private registry could not be had.
func MigrationJob(fs *v1alpha1.FleetService, hash string, s *revision.Snapshot) *batchv1.Job {
	spec := podSpec(fs, hash)
	spec.RestartPolicy = corev1.RestartPolicyNever
	spec.ImagePullSecrets = s.Template.Spec.ImagePullSecrets
	spec.Containers[0].Args = migrateArgs(fs)
	podLabels := map[string]string{
		v1alpha1.LabelManagedBy: v1alpha1.ManagedByValue, v1alpha1.LabelApp: AppName(fs), LabelMigration: fs.Name,
	}
	return &batchv1.Job{
		ObjectMeta: meta(fs, MigrationName(fs.Name, hash), revisionLabels(fs, hash)),
		Spec: batchv1.JobSpec{
			BackoffLimit: ptr.To[int32](migrationRetries), Completions: ptr.To[int32](1), Parallelism: ptr.To[int32](1),
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: podLabels}, Spec: spec},
		},
	}
}

// MigrationPods selects the pods of a service's migration Jobs.
func MigrationPods(service string) map[string]string {
	return map[string]string{LabelMigration: service}
}

func migrateArgs(fs *v1alpha1.FleetService) []string {
	if m := fs.Spec.Migrations; m != nil && len(m.Args) > 0 {
		return m.Args
	}
	return []string{"migrate"}
}
