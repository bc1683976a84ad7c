//go:build envtest

package movieapp_test

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"movieexample.com/fleet/api/v1alpha1"
)

// TestFeatureFlags: a live flag is in the ConfigMap as soon as it changes, and nothing is released for it; one of the
// revision is.
func TestFeatureFlags(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.secrets()
	app := sampleApp(t)
	app.Spec.FeatureFlags = map[string]v1alpha1.FeatureFlag{"recommendations": {Value: false}}
	s.create(app)
	holds := func(want string) {
		t.Helper()
		s.eventually(func() string {
			flags := &corev1.ConfigMap{}
			if err := s.c.Get(t.Context(), client.ObjectKey{Namespace: s.namespace, Name: "movies-flags"}, flags); err != nil {
				return err.Error()
			}
			if got := flags.Data["flags.yaml"]; got != want || !metav1.IsControlledBy(flags, s.app("movies")) {
				return "the flags are " + got + ", want " + want + ", owned by the MovieApp"
			}
			return ""
		})
	}
	holds("\"recommendations\": false\n")
	movie := s.await("movies-movie", "localhost/fleet/movie:v1")
	if movie.Spec.FeatureFlags == nil || movie.Spec.FeatureFlags.ConfigMapName != "movies-flags" {
		t.Errorf("movie's flags are %+v, want the ConfigMap movies-flags", movie.Spec.FeatureFlags)
	}
	set := func(f v1alpha1.FeatureFlag) {
		s.edit("movies", func(app *v1alpha1.MovieApp) { app.Spec.FeatureFlags["recommendations"] = f })
	}
	set(v1alpha1.FeatureFlag{Value: true})
	holds("\"recommendations\": true\n")
	if now := s.fleet()["movies-movie"]; now.Generation != movie.Generation {
		t.Errorf("movie's FleetService was changed for a live flag: %+v", now.Spec)
	}
	by := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "movies-flags"}}
	if err := s.c.Patch(t.Context(), by, client.RawPatch("application/merge-patch+json", []byte(`{"data":{"flags.yaml":"x"}}`))); err != nil {
		t.Fatal(err)
	}
	holds("\"recommendations\": true\n") // what was edited by hand is put back

	s.serve("movies-metadata", "movies-rating", "movies-movie")
	set(v1alpha1.FeatureFlag{Value: true, Rollout: v1alpha1.FlagRevision})
	holds("{}\n")
	s.eventually(func() string {
		if raw := s.fleet()["movies-movie"].Spec.Config.Raw; !strings.Contains(string(raw), `"flags":{"set":["recommendations=true"]}`) {
			return "movie's config is " + string(raw)
		}
		return ""
	})
}

// TestForeignFlags: somebody else's ConfigMap is left alone, and named.
func TestForeignFlags(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.secrets()
	mine := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "movies-flags"}, Data: map[string]string{"note": "mine"}}
	s.create(mine)
	app := sampleApp(t)
	app.Spec.FeatureFlags = map[string]v1alpha1.FeatureFlag{"recommendations": {Value: true}}
	s.create(app)
	s.awaitCondition("movies", v1alpha1.ConditionStalled, metav1.ConditionTrue, "movies-flags exists and is not owned by this resource: delete or rename it")
	before := mine.ResourceVersion
	if err := s.c.Get(t.Context(), client.ObjectKeyFromObject(mine), mine); err != nil || mine.ResourceVersion != before {
		t.Errorf("the ConfigMap was changed: %v, %v", mine.Data, err)
	}
}
