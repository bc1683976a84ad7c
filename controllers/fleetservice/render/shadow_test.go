package render_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/fleetservice/render"
)

const consumer = `
metadata: {name: ratings}
spec:
  image: "rating:1"
  args: [ingest]
  consumer: {topic: ratings, group: rating, partitions: 3, shadow: true}
  podOverrides: {spec: {containers: [{name: proxy, image: "proxy:1", args: [ingest]}]}}
`

// TestAsShadow: the program is told, and nobody else; the snapshot is left as it was.
func TestAsShadow(t *testing.T) {
	fs := service(t, consumer)
	snapshot, err := render.Snapshot(fs, hash)
	if err != nil {
		t.Fatal(err)
	}
	ordinary := render.Deployment(fs, hash, snapshot, 1).DeepCopy()
	shadow := render.Deployment(fs, hash, snapshot, 1)
	render.AsShadow(shadow)
	if diff := cmp.Diff(ordinary, render.Deployment(fs, hash, snapshot, 1)); diff != "" {
		t.Errorf("the revision's Deployment changed with its shadow (-before +after):\n%s", diff)
	}
	want := map[string][]string{"service": {"ingest", "--ingest.shadow=true"}, "proxy": {"ingest"}}
	if diff := cmp.Diff(want, arguments(shadow.Spec.Template.Spec)); diff != "" {
		t.Errorf("arguments (-want +got):\n%s", diff)
	}
	if got := shadow.Spec.Template.Labels[v1alpha1.LabelShadow]; got != "true" {
		t.Errorf("label %s = %q, want true", v1alpha1.LabelShadow, got)
	}
	delete(shadow.Spec.Template.Labels, v1alpha1.LabelShadow)
	for i := range shadow.Spec.Template.Spec.Containers {
		shadow.Spec.Template.Spec.Containers[i].Args = ordinary.Spec.Template.Spec.Containers[i].Args
	}
	if diff := cmp.Diff(ordinary, shadow); diff != "" {
		t.Errorf("a shadow differs in more (-ordinary +shadow):\n%s", diff)
	}
}

func arguments(spec corev1.PodSpec) map[string][]string {
	found := map[string][]string{}
	for _, c := range spec.Containers {
		found[c.Name] = c.Args
	}
	return found
}
