//go:build e2e

package e2e

import (
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"movieexample.com/fleet/api/v1alpha1"
)

// TestAutoscaling lets a real HorizontalPodAutoscaler scale a service while a canary of it, which needs more processor
// time, has requests: stable grows at once, the canary keeps its share and goes through, and no request fails.
func TestAutoscaling(t *testing.T) {
	t.Parallel()
	must(t, "hack/cluster/cluster", "up", "--with", "metrics-server")
	r := newTrial(t, "scaled", &v1alpha1.RolloutPolicy{Steps: []int32{20}, MinStep: seconds(120), Bake: seconds(5)}, func(app *v1alpha1.MovieApp) {
		metadata := app.Spec.Services["metadata"]
		metadata.Replicas, metadata.Autoscaling = nil, &v1alpha1.Autoscaling{MinReplicas: 2, MaxReplicas: 4, CPUUtilizationPercent: 100}
		metadata.Objectives = nil // a canary that burns processor time is slow; this is not about that
		metadata.Resources = &v1alpha1.Resources{Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("20m")}}
		app.Spec.Services["metadata"] = metadata
	})
	pods := func() (replicas int32, ready string) {
		fs := r.service("movies-metadata")
		return ptr.Deref(fs.Spec.Replicas, 0), fs.Status.Ready
	}
	r.eventually(3*time.Minute, "the autoscaler asks for its least number", func() (bool, string) {
		n, ready := pods()
		return n == 2 && ready == "2/2", fmt.Sprint(n, " ", ready, " ", r.kubectl("describe", "hpa", "movies-metadata"))
	})
	w := r.watch()
	r.send("load", 100, 900)

	began := time.Now()
	r.try("cpu=0.15")
	canary := r.wait(w, began, time.Minute, "a share", weighed(20)).status.Canary.Hash
	r.eventually(2*time.Minute, "stable is scaled while the canary is on trial", func() (bool, string) {
		fs := r.service("movies-metadata")
		stable := r.kubectl("get", "deployment", "movies-metadata-"+fs.Status.Stable.Hash, "-o", "jsonpath={.status.readyReplicas}")
		return ptr.Deref(fs.Spec.Replicas, 0) == 4 && stable == "4" && fs.Status.Stable.Hash != canary && weighed(20)(fs.Status), stable + " pods of stable are ready; " + r.kubectl("get", "hpa", "movies-metadata")
	})
	r.wait(w, began, 4*time.Minute, "the canary has all requests", func(st v1alpha1.FleetServiceStatus) bool {
		return st.Traffic != nil && st.Traffic.Revision == canary
	})
	r.is("movies-metadata", v1alpha1.ConditionReady, metav1.ConditionTrue, "", time.Minute)
	if n, ready := pods(); n != 4 || ready != "4/4" {
		t.Errorf("after the release %d pods are asked for and %s are ready, want 4 and 4/4", n, ready)
	}
	r.endLoad(r.way())
	if report := r.result("load", time.Minute); report.Failed != 0 || len(report.Revisions) != 2 {
		t.Errorf("%d of %d requests failed, answered by %+v; want none, and answers of both revisions", report.Failed, report.Sent, report.Revisions)
	}
}
