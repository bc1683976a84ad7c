package render

import (
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/fleetservice/revision"
)

const (
	rewindRetries = 3
	rewindSeconds = 300
	// lastWordsPath is where a container leaves what is to stand in its status.
	lastWordsPath = "/dev/termination-log"
)

// RewindJob runs the program of a revision, which s is rendered to, as its pods run it, to take back the partitions of
// another one: bad, whose trial began at that time.
func RewindJob(fs *v1alpha1.FleetService, s *revision.Snapshot, bad string, trial time.Time) *batchv1.Job {
	podLabels := map[string]string{
		v1alpha1.LabelManagedBy: v1alpha1.ManagedByValue, v1alpha1.LabelApp: AppName(fs), LabelRewind: fs.Name,
	}
	return &batchv1.Job{
		ObjectMeta: meta(fs, RewindName(fs.Name, trial), labels(fs)),
		Spec: batchv1.JobSpec{
			BackoffLimit: ptr.To[int32](rewindRetries), Completions: ptr.To[int32](1), Parallelism: ptr.To[int32](1),
			ActiveDeadlineSeconds: ptr.To[int64](rewindSeconds),
			Template:              corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: podLabels}, Spec: rewindPod(&s.Template.Spec, bad, trial)},
		},
	}
}

// rewindPod is the pod of a revision with its program alone: what podOverrides put beside it might never end.
func rewindPod(of *corev1.PodSpec, bad string, trial time.Time) corev1.PodSpec {
	spec := *of.DeepCopy()
	spec.RestartPolicy = corev1.RestartPolicyNever
	spec.InitContainers, spec.TopologySpreadConstraints, spec.Affinity = nil, nil, nil
	for _, c := range spec.Containers {
		if c.Name != ContainerName {
			continue
		}
		c.Ports, c.ReadinessProbe, c.LivenessProbe, c.StartupProbe, c.Lifecycle = nil, nil, nil, nil, nil
		c.Args = []string{
			"rewind", "--revision", bad, "--since", trial.UTC().Format(time.RFC3339), "--if-begun", "--while-consumed", "--yes", "--report", lastWordsPath,
		}
		spec.Containers = []corev1.Container{c}
	}
	return spec
}

// RewindPods selects the pods of a service's Jobs that take partitions back.
func RewindPods(service string) map[string]string { return map[string]string{LabelRewind: service} }
