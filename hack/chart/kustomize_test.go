//go:build chart

package chart

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Two ways to install must give one operator: the same objects, allowed the same, run the same way.
func TestKustomizeInstallsWhatTheChartInstalls(t *testing.T) {
	chart, kustomize := rendered(t), kustomized(t)
	// Helm does not create the namespace as an object of the release (helm install --create-namespace).
	find(t, kustomize, "Namespace", namespace)
	byChart, byKustomize := substance(chart), substance(kustomize)
	for _, name := range slices.Sorted(maps.Keys(byChart)) {
		if diff := cmp.Diff(byChart[name], byKustomize[name]); diff != "" {
			t.Errorf("%s differs (-chart +kustomize); if it is generated, run `make manifests`:\n%s", name, diff)
		}
		delete(byKustomize, name)
	}
	for _, name := range slices.Sorted(maps.Keys(byKustomize)) {
		t.Errorf("config/default has %s, which the chart has not", name)
	}
}

// substance is what objects do, without the labels and annotations by which a tool finds its own.
func substance(objects []*unstructured.Unstructured) map[string]any {
	out := map[string]any{}
	for _, o := range objects {
		if o.GetKind() == "Namespace" {
			continue
		}
		content := o.DeepCopy().Object
		aggregated := map[string]string{}
		for label, value := range o.GetLabels() {
			if isAggregation(label) {
				aggregated[label] = value
			}
		}
		delete(content, "metadata")
		content["aggregated"] = aggregated
		out[key(o)] = content
	}
	return out
}

func isAggregation(label string) bool {
	const prefix = "rbac.authorization.k8s.io/"
	return len(label) > len(prefix) && label[:len(prefix)] == prefix
}
