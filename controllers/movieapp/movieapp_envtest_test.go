//go:build envtest

package movieapp_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/yaml"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/movieapp"
	"movieexample.com/fleet/test/apiserver"
)

func sampleApp(t *testing.T) *v1alpha1.MovieApp {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(apiserver.Root(), "config", "samples", "movieapp.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	app := &v1alpha1.MovieApp{}
	if err := yaml.UnmarshalStrict(raw, app); err != nil {
		t.Fatal(err)
	}
	return app
}

// up is the sample, serving.
func up(t *testing.T) *stage {
	t.Helper()
	s := newStage(t)
	s.bringUp()
	return s
}

// bringUp creates the sample and lets it serve.
func (s *stage) bringUp() {
	s.t.Helper()
	s.secrets()
	s.create(sampleApp(s.t))
	for _, name := range []string{"metadata", "rating", "movie"} {
		s.await("movies-"+name, "localhost/fleet/"+name+":v1")
	}
	s.serve("movies-metadata", "movies-rating", "movies-movie")
	s.awaitCondition("movies", v1alpha1.ConditionReady, metav1.ConditionTrue, "3 of 3 services are ready")
}

func TestCreation(t *testing.T) {
	t.Parallel()
	s := up(t)
	app := s.app("movies")
	var got strings.Builder
	for _, name := range []string{"movies-metadata", "movies-rating", "movies-movie"} {
		fs := s.fleet()[name]
		raw, err := yaml.Marshal(map[string]any{"name": fs.Name, "spec": fs.Spec})
		if err != nil {
			t.Fatal(err)
		}
		got.WriteString("---\n" + string(raw))
		wantLabels := map[string]string{
			v1alpha1.LabelManagedBy: "movie-fleet", v1alpha1.LabelApp: "movies",
			v1alpha1.LabelService: name, v1alpha1.LabelComponent: strings.TrimPrefix(name, "movies-"),
		}
		if diff := cmp.Diff(wantLabels, fs.Labels); diff != "" {
			t.Errorf("labels of %s (-want +got):\n%s", name, diff)
		}
		if !metav1.IsControlledBy(fs, app) {
			t.Errorf("%s is not owned by the MovieApp", name)
		}
	}
	want, err := os.ReadFile(filepath.Join("testdata", "sample.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.ReplaceAll(string(want), "cinema-movies", s.namespace+"-movies"), got.String()); diff != "" {
		t.Errorf("FleetServices (-want +got):\n%s", diff)
	}
	if app.Status.Phase != "Serving" || app.Status.Ready != "3/3" || app.Status.ObservedGeneration != app.Generation {
		t.Errorf("status = phase %s, ready %s, observedGeneration %d; want Serving, 3/3, %d", app.Status.Phase, app.Status.Ready, app.Status.ObservedGeneration, app.Generation)
	}
	if got, want := app.Status.Services[0], (v1alpha1.ServiceSummary{Name: "metadata", Phase: "Serving", Image: "localhost/fleet/metadata:v1", Ready: "2/2"}); got != want {
		t.Errorf("status.services[0] = %+v, want %+v", got, want)
	}
}

// TestReleaseOrder follows a new tag through the services, past one that is taken back.
func TestReleaseOrder(t *testing.T) {
	t.Parallel()
	s := up(t)
	s.edit("movies", func(a *v1alpha1.MovieApp) { a.Spec.Image.Tag = "broken" })
	s.await("movies-metadata", "localhost/fleet/metadata:broken")
	s.await("movies-rating", "localhost/fleet/rating:broken")
	s.serve("movies-rating")
	s.becomes("movies-metadata", false, "revision x was taken back: exit code 1")
	s.awaitCondition("movies", v1alpha1.ConditionStalled, metav1.ConditionTrue, "metadata: revision x was taken back: exit code 1. The release stops here and does not reach: movie")
	five := int32(5)
	s.edit("movies", func(a *v1alpha1.MovieApp) {
		movie := a.Spec.Services["movie"]
		movie.Replicas = &five
		a.Spec.Services["movie"] = movie
	})
	s.eventually(func() string {
		if got := *s.fleet()["movies-movie"].Spec.Replicas; got != 5 {
			return fmt.Sprintf("movie has %d replicas, want 5: scaling is not held by a release", got)
		}
		return ""
	})
	if got := s.fleet()["movies-movie"].Spec.Image; got != "localhost/fleet/movie:v1" {
		t.Errorf("movie has image %s while metadata is taken back, want v1", got)
	}
	s.edit("movies", func(a *v1alpha1.MovieApp) { a.Spec.Image.Tag = "v2" })
	s.await("movies-metadata", "localhost/fleet/metadata:v2")
	s.await("movies-rating", "localhost/fleet/rating:v2")
	s.serve("movies-metadata", "movies-rating")
	s.await("movies-movie", "localhost/fleet/movie:v2")
	s.serve("movies-movie")
	s.awaitCondition("movies", v1alpha1.ConditionReady, metav1.ConditionTrue, "3 of 3")
}

// TestHandEdit: an edit of a FleetService is undone, and an event says what to edit instead.
func TestHandEdit(t *testing.T) {
	t.Parallel()
	s := up(t)
	fs := s.fleet()["movies-rating"]
	before := fs.DeepCopy()
	fs.Spec.Image = "localhost/fleet/rating:mine"
	if err := s.c.Patch(t.Context(), fs, client.MergeFrom(before), client.FieldOwner("kubectl-edit")); err != nil {
		t.Fatal(err)
	}
	s.await("movies-rating", "localhost/fleet/rating:v1")
	s.eventually(func() string {
		list := &eventsv1.EventList{}
		if err := s.c.List(t.Context(), list, client.InNamespace(s.namespace)); err != nil {
			t.Fatal(err)
		}
		regarding := map[string]bool{}
		want := "kubectl-edit changed spec.image; it was put back. Edit spec.image.tag or spec.services.rating.image of MovieApp movies instead"
		for _, e := range list.Items {
			if e.Reason == "HandEditUndone" && strings.Contains(e.Note, want) {
				regarding[e.Regarding.Kind] = true
			}
		}
		if !regarding["MovieApp"] || !regarding["FleetService"] {
			return fmt.Sprintf("events %q are about %v, want one about the MovieApp and one about the FleetService", want, regarding)
		}
		return ""
	})
}

// TestSecretHeals: a service whose Secret is incomplete is not started, the others are, and it starts when it is mended.
func TestSecretHeals(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.secrets()
	broken := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "rating-mysql", Namespace: s.namespace}}
	if err := s.c.Patch(t.Context(), broken, client.RawPatch("application/merge-patch+json", []byte(`{"data":{"password":null}}`))); err != nil {
		t.Fatal(err)
	}
	s.create(sampleApp(t))
	s.awaitCondition("movies", v1alpha1.ConditionBindingsReady, metav1.ConditionFalse, `rating: key "password" of Secret "rating-mysql" is missing: add it`)
	s.await("movies-movie", "localhost/fleet/movie:v1")
	if s.fleet()["movies-rating"] != nil {
		t.Error("movies-rating exists though its Secret has no password")
	}
	if err := s.c.Patch(t.Context(), broken, client.RawPatch("application/merge-patch+json", []byte(`{"stringData":{"password":"x"}}`))); err != nil {
		t.Fatal(err)
	}
	s.await("movies-rating", "localhost/fleet/rating:v1")
	s.awaitCondition("movies", v1alpha1.ConditionBindingsReady, metav1.ConditionTrue, "every bound Secret is complete")
}

// TestTwoApps: two MovieApps in one namespace do not touch each other, and a name that is taken is said.
func TestTwoApps(t *testing.T) {
	t.Parallel()
	s := up(t)
	other := sampleApp(t)
	other.Name, other.Spec.Image.Tag = "films", "v9"
	s.create(other)
	s.await("films-movie", "localhost/fleet/movie:v9")
	if got := s.fleet()["movies-movie"].Spec.Image; got != "localhost/fleet/movie:v1" {
		t.Errorf("movies-movie has image %s, want v1: it belongs to the other application", got)
	}
	clash := sampleApp(t)
	clash.Name = "movies-x"
	s.create(&v1alpha1.FleetService{ObjectMeta: metav1.ObjectMeta{Name: "movies-x-rating"}, Spec: v1alpha1.FleetServiceSpec{Image: "mine/rating:1"}}, clash)
	s.awaitCondition("movies-x", v1alpha1.ConditionStalled, metav1.ConditionTrue, "rating: FleetService movies-x-rating exists and is not owned by this MovieApp: delete it, or name the service differently")
	if got := s.fleet()["movies-x-rating"].Spec.Image; got != "mine/rating:1" {
		t.Errorf("movies-x-rating has image %s, want it untouched", got)
	}
}

// TestReplicasLeftOut: when a user stops naming replicas the number stays, and an autoscaler may change it.
func TestReplicasLeftOut(t *testing.T) {
	t.Parallel()
	s := up(t)
	s.edit("movies", func(a *v1alpha1.MovieApp) {
		movie := a.Spec.Services["movie"]
		movie.Replicas, movie.DrainSeconds = nil, new(int32(7)) // one edit with a mark: when it has arrived, so has the other
		a.Spec.Services["movie"] = movie
	})
	s.eventually(func() string {
		if d := s.fleet()["movies-movie"].Spec.DrainSeconds; d == nil {
			return "the edit has not arrived"
		}
		return ""
	})
	fs := s.fleet()["movies-movie"]
	if fs.Spec.Replicas == nil || *fs.Spec.Replicas != 2 {
		t.Fatalf("after replicas were left out movies-movie has %v, want 2 as before", fs.Spec.Replicas)
	}
	scale := &autoscalingv1.Scale{Spec: autoscalingv1.ScaleSpec{Replicas: 6}}
	if err := s.c.SubResource("scale").Update(t.Context(), fs, client.WithSubResourceBody(scale), client.FieldOwner("autoscaler")); err != nil {
		t.Fatal(err)
	}
	s.edit("movies", func(a *v1alpha1.MovieApp) { a.Spec.Ownership.Oncall = "night" })
	s.eventually(func() string {
		if s.fleet()["movies-movie"].Spec.Ownership.Oncall != "night" {
			return "the edit has not arrived"
		}
		return ""
	})
	if got := *s.fleet()["movies-movie"].Spec.Replicas; got != 6 {
		t.Errorf("after the autoscaler set 6 and another edit movies-movie has %d replicas, want 6", got)
	}
}

// TestServiceRemoved: a service that the spec drops stays until its callers no longer know it.
func TestServiceRemoved(t *testing.T) {
	t.Parallel()
	s := up(t)
	s.edit("movies", func(a *v1alpha1.MovieApp) { delete(a.Spec.Services, "rating") })
	s.eventually(func() string {
		if c := s.fleet()["movies-movie"].Spec.Config; strings.Contains(string(c.Raw), "rating") {
			return "movie still knows rating"
		}
		return ""
	})
	s.awaitCondition("movies", v1alpha1.ConditionReady, metav1.ConditionFalse, "Not ready either: rating")
	if s.fleet()["movies-rating"] == nil {
		t.Fatal("movies-rating was deleted before movie served without it")
	}
	s.serve("movies-movie")
	s.eventually(func() string {
		if s.fleet()["movies-rating"] != nil {
			return "movies-rating still exists"
		}
		return ""
	})
	s.awaitCondition("movies", v1alpha1.ConditionReady, metav1.ConditionTrue, "2 of 2 services are ready")
}

// hold gives FleetServices a finalizer, as their controller does, so that the test decides when each is gone.
func (s *stage) hold() {
	for _, fs := range s.fleet() {
		before := fs.DeepCopy()
		fs.Finalizers = []string{v1alpha1.Finalizer}
		if err := s.c.Patch(s.t.Context(), fs, client.MergeFrom(before)); err != nil {
			s.t.Fatal(err)
		}
	}
}

func (s *stage) letGo(name string) {
	fs := &v1alpha1.FleetService{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: name, Finalizers: []string{v1alpha1.Finalizer}}}
	before := fs.DeepCopy()
	fs.Finalizers = nil
	// A test's own context has ended when it cleans up.
	if err := s.c.Patch(context.WithoutCancel(s.t.Context()), fs, client.MergeFrom(before)); err != nil {
		s.t.Fatal(err)
	}
}

// going are the names of FleetServices that are being deleted.
func (s *stage) going() []string {
	var out []string
	for name, fs := range s.fleet() {
		if fs.DeletionTimestamp != nil {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

func (s *stage) awaitGoing(names ...string) {
	s.t.Helper()
	s.eventually(func() string {
		if got := s.going(); !slices.Equal(got, names) {
			return fmt.Sprintf("being deleted are %v, want %v", got, names)
		}
		return ""
	})
}

func (s *stage) awaitGone(name string) {
	s.t.Helper()
	s.eventually(func() string {
		err := s.c.Get(s.t.Context(), client.ObjectKey{Namespace: s.namespace, Name: name}, &v1alpha1.MovieApp{})
		if !apierrors.IsNotFound(err) {
			return fmt.Sprintf("get MovieApp %s = %v, want not found", name, err)
		}
		return ""
	})
}

// TestDeletionOrder: callers go before those they call.
func TestDeletionOrder(t *testing.T) {
	t.Parallel()
	s := up(t)
	s.hold()
	if err := s.c.Delete(t.Context(), s.app("movies")); err != nil {
		t.Fatal(err)
	}
	s.awaitGoing("movies-movie")
	s.awaitCondition("movies", v1alpha1.ConditionReady, metav1.ConditionFalse, "these are still there, callers go first: movies-metadata, movies-movie, movies-rating")
	if got := s.app("movies").Status.Phase; got != "Deleting" {
		t.Errorf("phase = %s, want Deleting", got)
	}
	s.letGo("movies-movie")
	s.awaitGoing("movies-metadata", "movies-rating")
	s.letGo("movies-metadata")
	s.letGo("movies-rating")
	s.awaitGone("movies")
	if left := s.fleet(); len(left) > 0 {
		t.Errorf("FleetServices left = %v, want none", left)
	}
}

func TestOrphan(t *testing.T) {
	t.Parallel()
	s := up(t)
	s.edit("movies", func(a *v1alpha1.MovieApp) { a.Spec.DeletionPolicy = v1alpha1.DeletionOrphan })
	if err := s.c.Delete(t.Context(), s.app("movies")); err != nil {
		t.Fatal(err)
	}
	s.awaitGone("movies")
	left := s.fleet()
	if len(left) != 3 {
		t.Errorf("%d FleetServices are left, want 3", len(left))
	}
	for name, fs := range left {
		if fs.DeletionTimestamp != nil || len(fs.OwnerReferences) > 0 {
			t.Errorf("%s: deleted at %v, owners %v; want it to live without an owner", name, fs.DeletionTimestamp, fs.OwnerReferences)
		}
	}
}

// TestDeletionDeadline: a service that does not go holds the MovieApp for a minute and no longer.
func TestDeletionDeadline(t *testing.T) {
	t.Parallel()
	s := emptyStage(t)
	clk := clocktesting.NewFakePassiveClock(time.Now())
	recorder := events.NewFakeRecorder(20)
	r := movieapp.New(s.c, s.c, recorder, clk)
	request := reconcile.Request{NamespacedName: client.ObjectKey{Namespace: s.namespace, Name: "late"}}
	step := func() reconcile.Result {
		t.Helper()
		result, err := r.Reconcile(t.Context(), request)
		if err != nil {
			t.Fatalf("Reconcile = error %v, want none", err)
		}
		return result
	}
	app := sampleApp(t)
	app.Name = "late"
	app.Spec.Services = map[string]v1alpha1.MovieAppService{"movie": {}}
	s.secrets()
	s.create(app)
	step()
	s.hold()
	t.Cleanup(func() { s.letGo("late-movie") })
	if err := s.c.Delete(t.Context(), app); err != nil {
		t.Fatal(err)
	}
	deleted := s.app("late").DeletionTimestamp.Time
	clk.SetTime(deleted.Add(20 * time.Second))
	if got := step().RequeueAfter; got != 40*time.Second {
		t.Errorf("20 s after the deletion: look again after %v, want 40s", got)
	}
	clk.SetTime(deleted.Add(61 * time.Second))
	step()
	s.awaitGone("late")
	close(recorder.Events)
	var said []string
	for e := range recorder.Events {
		said = append(said, e)
	}
	if !slices.ContainsFunc(said, func(e string) bool {
		return strings.Contains(e, "DeletionOverdue") && strings.Contains(e, "late-movie")
	}) {
		t.Errorf("events = %q, want one that says late-movie was still there", said)
	}
}
