//go:build envtest

package movieapp_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"movieexample.com/fleet/api/v1alpha1"
)

// TestClaimHeals: movie waits for the volume that its files are to be on, and starts when the claim is there.
func TestClaimHeals(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.secrets()
	app := sampleApp(t)
	movie := app.Spec.Services["movie"]
	movie.Files = &v1alpha1.Files{ClaimName: "uploads"}
	app.Spec.Services["movie"] = movie
	s.create(app)
	s.awaitCondition("movies", v1alpha1.ConditionBindingsReady, metav1.ConditionFalse, `movie: PersistentVolumeClaim "uploads" does not exist in namespace `+s.namespace)
	s.await("movies-rating", "localhost/fleet/rating:v1")
	if s.fleet()["movies-movie"] != nil {
		t.Error("movies-movie exists though its volume does not")
	}
	s.create(&corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Name: "uploads"}, Spec: corev1.PersistentVolumeClaimSpec{
		AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteMany},
		Resources:   corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}},
	}})
	s.await("movies-movie", "localhost/fleet/movie:v1")
	if got := s.fleet()["movies-movie"].Spec.Files; got == nil || got.ClaimName != "uploads" {
		t.Errorf("files of movies-movie = %v, want the claim uploads", got)
	}
}
