package movieapp

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"movieexample.com/fleet/api/v1alpha1"
)

// TestReleaseOrderHolds: whatever the user changes and however services fare, a service never gets a release before
// all it depends on are Ready with theirs, scaling and policies are never held, and when all serve the release is complete.
func TestReleaseOrderHolds(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t)
		w.reconcile()
		w.serve("metadata", "rating", "movie")
		w.reconcile()
		for i := range rapid.IntRange(1, 12).Draw(rt, "steps") {
			before := w.live["movies-movie"].Annotations[v1alpha1.AnnotationReleased]
			w.disturb(rt, i)
			ready := w.current("metadata") && w.current("rating")
			w.reconcile()
			if c := w.app.Status.Conditions; isSet(c, v1alpha1.ConditionStalled)+isSet(c, v1alpha1.ConditionReconciling)+isSet(c, v1alpha1.ConditionReady) != 1 {
				rt.Fatalf("of Ready, Reconciling and Stalled not exactly one is True:\n%s", w.story.String())
			}
			movie := w.live["movies-movie"]
			if movie.Annotations[v1alpha1.AnnotationReleased] != before && !ready {
				rt.Fatalf("movie got a release while what it depends on was not Ready with its own:\n%s", w.story.String())
			}
			if got, want := *movie.Spec.Replicas, *w.app.Spec.Services["movie"].Replicas; got != want {
				rt.Fatalf("movie has %d replicas, want %d at once:\n%s", got, want, w.story.String())
			}
			if diff := cmp.Diff(w.wanted("movie").Rollout, movie.Spec.Rollout); diff != "" {
				rt.Fatalf("movie has another rollout policy than it should have at once (-want +got):\n%s\n%s", diff, w.story.String())
			}
		}
		for range 3 {
			w.serve("metadata", "rating", "movie")
			w.reconcile()
		}
		for _, name := range []string{"metadata", "rating", "movie"} {
			want := "localhost/fleet/" + name + ":" + w.app.Spec.Image.Tag
			if got := w.live["movies-"+name].Spec.Image; got != want {
				rt.Fatalf("in the end %s has image %s, want %s:\n%s", name, got, want, w.story.String())
			}
		}
		if w.app.Status.Phase != phaseServing {
			rt.Fatalf("in the end the phase is %s, want Serving:\n%s", w.app.Status.Phase, w.story.String())
		}
	})
}

// disturb lets one thing happen that a user or a service may do at any time.
func (w *world) disturb(rt *rapid.T, i int) {
	name := rapid.SampledFrom([]string{"metadata", "rating", "movie"}).Draw(rt, "service")
	switch rapid.SampledFrom([]string{"tag", "scale", "policy", "serve", "bake", "stick", "move"}).Draw(rt, "event") {
	case "policy":
		w.change("pauses or resumes", func(s *v1alpha1.MovieAppSpec) {
			s.Rollout = &v1alpha1.RolloutPolicy{Paused: new(rapid.Bool().Draw(rt, "paused"))}
		})
	case "bake":
		w.becomes(name, "Baking", false, "bakes")
	case "tag":
		w.change("a new tag", func(s *v1alpha1.MovieAppSpec) { s.Image.Tag = fmt.Sprintf("v%d", i+2) })
	case "scale":
		w.change("scales "+name, setReplicas(name, rapid.Int32Range(0, 9).Draw(rt, "replicas")))
	case "serve":
		w.serve(name)
	case "stick":
		w.becomes(name, "TakenBack", true, "taken back")
	case "move":
		w.becomes(name, "Updating", false, "starts")
	}
}

// current is true when a service is Ready with the release that the spec asks for now.
func (w *world) current(name string) bool {
	fs := w.live["movies-"+name]
	c := current(fs, v1alpha1.ConditionReady)
	return fs.Annotations[v1alpha1.AnnotationReleased] == release(w.wanted(name)) && c != nil && c.Status == "True"
}

// isSet counts a condition that is True.
func isSet(list []metav1.Condition, kind string) int {
	if c := find(list, kind); c != nil && c.Status == metav1.ConditionTrue {
		return 1
	}
	return 0
}

// wanted is what the spec asks of a service.
func (w *world) wanted(name string) v1alpha1.FleetServiceSpec {
	services, err := resolve(w.app)
	if err != nil {
		w.t.Fatal(err)
	}
	i := slices.IndexFunc(services, func(s service) bool { return s.name == name })
	if i < 0 {
		w.t.Fatalf("resolve = no service %s", name)
	}
	return services[i].spec
}
