//go:build envtest

package movieapp_test

import (
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"movieexample.com/fleet/api/v1alpha1"
)

// TestReadyAtItsNewSpec: whoever waits for Ready after an edit waits until the services have looked at it: there is no
// moment at which the application is Ready with its new spec before that.
func TestReadyAtItsNewSpec(t *testing.T) {
	t.Parallel()
	s := up(t)
	versions, err := s.c.Watch(t.Context(), &v1alpha1.MovieAppList{}, client.InNamespace(s.namespace))
	if err != nil {
		t.Fatal(err)
	}
	defer versions.Stop()
	s.edit("movies", func(a *v1alpha1.MovieApp) {
		rating := a.Spec.Services["rating"]
		rating.Replicas = new(int32(3))
		a.Spec.Services["rating"] = rating
	})
	s.awaitCondition("movies", v1alpha1.ConditionReady, metav1.ConditionFalse, "rating: its new spec is not observed yet")
	s.serve("movies-rating")
	s.awaitCondition("movies", v1alpha1.ConditionReady, metav1.ConditionTrue, "3 of 3 services are ready")
	wanted := s.app("movies").Generation
	var told []metav1.ConditionStatus
	for len(told) < 2 {
		version, open := <-versions.ResultChan()
		if !open {
			t.Fatalf("the watch ended after Ready with the new spec was %v", told)
		}
		app := version.Object.(*v1alpha1.MovieApp)
		if c := meta.FindStatusCondition(app.Status.Conditions, v1alpha1.ConditionReady); c != nil && c.ObservedGeneration == wanted && !slices.Contains(told, c.Status) {
			told = append(told, c.Status)
		}
	}
	if told[0] != metav1.ConditionFalse {
		t.Errorf("Ready with the new spec was %v, want False before True", told)
	}
}
