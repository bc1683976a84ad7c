package render_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/fleetservice/render"
)

// TestRewindJob: it is the stable revision's program with its connections and rights, alone, and none of its readers: the
// spec asks for another image by then.
func TestRewindJob(t *testing.T) {
	fs := service(t, `
metadata: {name: ratings, namespace: movies, labels: {fleet.movieexample.com/app: movies}}
spec:
  image: localhost/fleet/rating:good
  args: [ingest]
  storage: MySQL
  bindings: {mysql: {secretRef: {name: rating-db}}, kafka: {secretRef: {name: rating-kafka}}}
  consumer: {topic: ratings, group: rating, partitions: 12, rewind: true}
  podOverrides: {spec: {imagePullSecrets: [{name: registry}], containers: [{name: beside, image: "localhost/beside:1"}]}}
`)
	snapshot, err := render.Snapshot(fs, "good000000")
	if err != nil {
		t.Fatal(err)
	}
	fs.Spec.Image = "localhost/fleet/rating:bad"
	job := render.RewindJob(fs, snapshot, "bad0000000", time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC))
	if job.Name != "ratings-rewind-toujs0" {
		t.Errorf("name = %s", job.Name)
	}
	pod, reader := job.Spec.Template.Spec, snapshot.Template.Spec
	if len(pod.Containers) != 1 || pod.Containers[0].Image != "localhost/fleet/rating:good" {
		t.Fatalf("containers = %+v, want the stable revision's program alone", pod.Containers)
	}
	want := []string{
		"rewind", "--revision", "bad0000000", "--since", "2026-11-21T10:00:00Z", "--if-begun", "--while-consumed", "--yes", "--report", "/dev/termination-log",
	}
	if diff := cmp.Diff(want, pod.Containers[0].Args); diff != "" {
		t.Errorf("args (-want +got):\n%s", diff)
	}
	for what, pair := range map[string][2]any{
		"volumes": {reader.Volumes, pod.Volumes}, "mounts": {reader.Containers[0].VolumeMounts, pod.Containers[0].VolumeMounts},
		"env": {reader.Containers[0].Env, pod.Containers[0].Env}, "service account": {reader.ServiceAccountName, pod.ServiceAccountName},
		"pod's rights": {reader.SecurityContext, pod.SecurityContext}, "container's rights": {reader.Containers[0].SecurityContext, pod.Containers[0].SecurityContext},
		"pull secrets": {[]corev1.LocalObjectReference{{Name: "registry"}}, pod.ImagePullSecrets},
	} {
		if diff := cmp.Diff(pair[0], pair[1]); diff != "" {
			t.Errorf("%s (-reader +Job):\n%s", what, diff)
		}
	}
	if c := pod.Containers[0]; c.Ports != nil || c.ReadinessProbe != nil || c.LivenessProbe != nil || pod.RestartPolicy != corev1.RestartPolicyNever {
		t.Errorf("container = %+v, want neither ports nor probes, and no restart", c)
	}
	if job.Spec.Template.Labels[v1alpha1.LabelService] != "" || job.Labels[v1alpha1.LabelRevision] != "" {
		t.Errorf("labels = %v of pods %v, want none that a revision's pods are found by", job.Labels, job.Spec.Template.Labels)
	}
}

// TestRewindNameFits: names of the longest services are names of Jobs, whose pods bear them as a label.
func TestRewindNameFits(t *testing.T) {
	name := render.RewindName(strings.Repeat("a", 40), time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC))
	if problems := validation.IsDNS1123Label(name); len(problems) > 0 {
		t.Errorf("RewindName = %s: %v", name, problems)
	}
}
