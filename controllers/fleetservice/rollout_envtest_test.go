//go:build envtest

package fleetservice_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"movieexample.com/fleet/api/v1alpha1"
)

func TestInstall(t *testing.T) {
	s := newStage(t)
	s.install(`{image: "rating:v1", replicas: 2, ownership: {accountable: a@example.com}}`)
	fs := s.serving("rating:v1")

	hash := fs.Status.Stable.Hash
	want := []string{
		"ConfigMap fleet-ledger-rating of nobody",
		"ConfigMap rating-" + hash + " of rating", "ControllerRevision rating-" + hash + " of rating", "Deployment rating-" + hash + " of rating",
		"PodDisruptionBudget rating of rating", "Service rating of rating", "Service rating-all of rating", "Service rating-canary of rating", "ServiceAccount rating of rating",
	}
	if diff := cmp.Diff(want, s.world.objects()); diff != "" {
		t.Errorf("objects (-want +got):\n%s", diff)
	}
	if got := s.world.selected("rating"); got != "rating:v1" {
		t.Errorf("the Service object selects %s, want rating:v1", got)
	}
	st := fs.Status
	if st.Ready != "2/2" || st.Replicas != 2 || st.Selector != "fleet.movieexample.com/service=rating" || st.Traffic.Through != "the Service object" || st.Traffic.Revision != hash {
		t.Errorf("status = %+v, want 2/2 ready, 2 replicas, a selector, traffic through the Service object", st)
	}
	s.wantCondition(fs, v1alpha1.ConditionReady, "True Serving: 2 of 2 pods of "+hash+" (rating:v1) ready")
	s.wantCondition(fs, v1alpha1.ConditionAvailable, "True ")
	for _, kind := range []string{v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled, v1alpha1.ConditionProgressing} {
		s.wantCondition(fs, kind, "False ")
	}
	for _, kind := range []string{v1alpha1.ConditionSpecValid, v1alpha1.ConditionBindingsReady} {
		s.wantCondition(fs, kind, "True ")
	}
	s.wantQuiet("serving")
}

// TestNamesComeFirst: callers may ask for a service's name while its first pods start, and must not be told that there is none.
func TestNamesComeFirst(t *testing.T) {
	s := newStage(t)
	s.world.behaviors["rating:v1"] = neverReady
	s.install(v1)
	s.until("pods that start", func(*v1alpha1.FleetService) bool { return len(s.world.images()) == 1 })
	for _, name := range []string{"rating", "rating-canary", "rating-all"} {
		service := &corev1.Service{}
		if err := s.c.Get(t.Context(), client.ObjectKey{Namespace: s.namespace, Name: name}, service); err != nil {
			t.Errorf("get Service %s while the first revision starts: %v, want it there", name, err)
		}
		if _, byRevision := service.Spec.Selector[v1alpha1.LabelRevision]; name != "rating-all" && !byRevision {
			t.Errorf("Service %s selects %v, want no pod", name, service.Spec.Selector)
		}
	}
	s.change(v2)
	s.serving("rating:v2")
	if got := s.world.selected("rating"); got != "rating:v2" {
		t.Errorf("the Service object selects %s, want rating:v2", got)
	}
}

// updated brings a service from v1 to v2 and returns how the deployments and the Service object looked, without repeats.
func (s *stage) updated() []string {
	s.t.Helper()
	var story []string
	s.until("rating:v2 alone", func(fs *v1alpha1.FleetService) bool {
		scene := strings.Join(s.world.images(), " + ") + " → " + s.world.selected("rating")
		if len(story) == 0 || story[len(story)-1] != scene {
			story = append(story, scene)
		}
		if fs.Status.Stable == nil {
			return false
		}
		return fs.Status.Phase == "Serving" && fs.Status.Stable.Image == "rating:v2" && fs.Status.Previous == nil && len(s.world.images()) == 1
	})
	for range 3 { // what is left of the old revision is tidied up
		s.step()
	}
	return story
}

const (
	v1 = `{image: "rating:v1", replicas: 2, drainSeconds: 5}`
	v2 = `{image: "rating:v2", replicas: 2, drainSeconds: 5}`
)

// updateStory is what anybody may see of an update, in this order and nothing else.
var updateStory = []string{
	"rating:v1 ×2 → rating:v1",
	"rating:v1 ×2 + rating:v2 ×2 → rating:v1",
	"rating:v1 ×2 + rating:v2 ×2 → rating:v2",
	"rating:v2 ×2 → rating:v2",
}

func TestUpdate(t *testing.T) {
	s := newStage(t)
	s.install(v1)
	s.serving("rating:v1")
	s.told("")
	s.change(v2)
	if diff := cmp.Diff(updateStory, s.updated()); diff != "" {
		t.Errorf("the update (-want +got):\n%s", diff)
	}
	var reasons []string
	for _, e := range s.told("") {
		reasons = append(reasons, strings.Join(strings.Fields(e)[:2], " "))
	}
	if want := []string{"Normal RolloutStarted", "Normal Promoted", "Normal TrafficMoved", "Normal Baked", "Normal Drained"}; !slices.Equal(reasons, want) {
		t.Errorf("events = %q, want %q", reasons, want)
	}
	s.wantQuiet("updated")
}

// TestUpdateWithRestarts replaces the process before each reconcile.
func TestUpdateWithRestarts(t *testing.T) {
	s := newStage(t)
	s.restart = true
	s.install(v1)
	s.serving("rating:v1")
	s.change(v2)
	if diff := cmp.Diff(updateStory, s.updated()); diff != "" {
		t.Errorf("the update (-want +got):\n%s", diff)
	}
}

func TestRevertDuringTheTrial(t *testing.T) {
	s := newStage(t)
	s.world.behaviors["rating:v2"] = neverReady
	s.install(v1)
	before := s.serving("rating:v1").Status.Stable.Hash
	s.change(v2)
	s.until("a trial", func(fs *v1alpha1.FleetService) bool { return fs.Status.Canary != nil && len(s.world.images()) == 2 })
	s.change(v1)
	fs := s.serving("rating:v1")
	s.until("v2 gone", func(*v1alpha1.FleetService) bool { return len(s.world.images()) == 1 })
	if fs.Status.Stable.Hash != before || fs.Status.Rejected != nil {
		t.Errorf("status = %+v, want the revision %s as before and nothing rejected", fs.Status, before)
	}
	if told := s.told("RolloutAbandoned"); len(told) != 1 {
		t.Errorf("events = %q, want one RolloutAbandoned", told)
	}
}

func TestCrashLoopIsTakenBack(t *testing.T) {
	s := newStage(t)
	s.world.behaviors["rating:broken"] = crashes("reading config\ncannot open the ledger: no such file")
	s.install(v1)
	s.serving("rating:v1")
	s.change(`{image: "rating:broken", replicas: 2}`)
	fs := s.phase("TakenBack")
	rejected := fs.Status.Rejected.Hash
	for _, kind := range []string{v1alpha1.ConditionStalled, v1alpha1.ConditionRolledBack} {
		s.wantCondition(fs, kind, "True ", rejected, "rating:broken", "cannot open the ledger: no such file", "CrashLoop", "Change the spec")
	}
	s.wantCondition(fs, v1alpha1.ConditionReady, "False TakenBack")
	s.wantCondition(fs, v1alpha1.ConditionAvailable, "True ")
	s.until("the broken pods gone", func(*v1alpha1.FleetService) bool { return slices.Equal(s.world.images(), []string{"rating:v1 ×2"}) })
	if got := s.world.selected("rating"); got != "rating:v1" {
		t.Errorf("the Service object selects %s, want rating:v1", got)
	}
	s.wantQuiet("taken back")

	t.Run("the same spec stays rejected", func(t *testing.T) {
		s.restart = true
		for _, spec := range []string{`{image: "rating:broken", replicas: 2, ownership: {accountable: a@example.com}}`, `{image: "rating:broken", replicas: 1}`} {
			s.change(spec)
			for range 20 {
				s.step()
				if images := s.world.images(); len(images) != 1 {
					t.Fatalf("%q run, want rating:v1 alone", images)
				}
			}
		}
		if fs := s.get(); fs.Status.Phase != "TakenBack" || fs.Status.Rejected.Hash != rejected {
			t.Errorf("status = %+v, want %s still rejected", fs.Status, rejected)
		}
		s.restart = false
	})
	t.Run("another spec goes", func(t *testing.T) {
		s.change(v2)
		fs := s.serving("rating:v2")
		if condition(fs, v1alpha1.ConditionRolledBack) != "" {
			t.Errorf("RolledBack = %q after another revision was promoted, want none", condition(fs, v1alpha1.ConditionRolledBack))
		}
	})
}

func TestQuarantineLastsUntilARetry(t *testing.T) {
	s := newStage(t)
	s.world.behaviors["rating:v2"] = crashes("boom")
	s.install(v1)
	s.serving("rating:v1")
	s.change(v2)
	quarantined := s.phase("TakenBack").Status.Rejected.Hash
	s.change(v1)
	if fs := s.serving("rating:v1"); fs.Status.Rejected != nil {
		t.Errorf("rejected = %+v after the spec returned to stable, want nothing", fs.Status.Rejected)
	}
	delete(s.world.behaviors, "rating:v2") // what was missing is there now
	s.change(v2)
	fs := s.phase("TakenBack")
	s.wantCondition(fs, v1alpha1.ConditionStalled, "True TakenBack", "boom", "retry@")
	s.restart = true // the quarantine is in the ledger
	s.command("retry@" + quarantined + "@1")
	if fs := s.serving("rating:v2"); !strings.Contains(fs.Status.LastCommand.Outcome, "tried anew") {
		t.Errorf("lastCommand = %+v, want its outcome", fs.Status.LastCommand)
	}
}

// command annotates the service.
func (s *stage) command(text string) {
	s.t.Helper()
	fs := s.get()
	fs.Annotations = map[string]string{v1alpha1.AnnotationCommand: text}
	if err := s.c.Update(s.t.Context(), fs); err != nil {
		s.t.Fatalf("command %s: %v", text, err)
	}
}

func TestFirstRevisionThatCannotStart(t *testing.T) {
	s := newStage(t)
	s.world.behaviors["rating:v1"] = crashes("boom")
	s.install(v1)
	fs := s.phase("Stalled")
	s.wantCondition(fs, v1alpha1.ConditionStalled, "True StartFailed", "boom", "Mend the spec")
	s.wantCondition(fs, v1alpha1.ConditionAvailable, "False ")
	s.change(v2)
	s.serving("rating:v2")
}

func TestMigration(t *testing.T) {
	migrating := func(image string) string {
		return `{image: "` + image + `", drainSeconds: 5, storage: MySQL, migrations: {}, bindings: {mysql: {secretRef: {name: db}}}}`
	}
	s := newStage(t)
	s.secret("db", map[string]string{"type": "mysql", "host": "db", "port": "3306", "username": "u", "password": "p", "database": "rating"})
	s.install(migrating("rating:v1"))
	s.until("a migration before the first pod", func(*v1alpha1.FleetService) bool {
		jobs := slices.DeleteFunc(s.world.objects(), func(o string) bool { return !strings.HasPrefix(o, "Job ") })
		if len(jobs) == 0 && len(s.world.images()) > 0 {
			t.Fatal("pods run before the migration")
		}
		return len(jobs) == 1
	})
	s.serving("rating:v1")

	s.world.failing = map[string]string{"rating:v2": "Migrating\nError 1146: Table 'movies.ratings' doesn't exist"}
	s.change(migrating("rating:v2"))
	fs := s.phase("TakenBack")
	s.wantCondition(fs, v1alpha1.ConditionStalled, "True TakenBack", "Error 1146: Table 'movies.ratings' doesn't exist", "MigrationFailed")
	if images := s.world.images(); !slices.Equal(images, []string{"rating:v1 ×1"}) {
		t.Errorf("%q run after a failed migration, want rating:v1 alone", images)
	}
	s.wantQuiet("migration failed")
	s.change(migrating("rating:v3"))
	s.serving("rating:v3")
}

func TestScale(t *testing.T) {
	s := newStage(t)
	s.install(`{image: "rating:v1", replicas: 1}`)
	s.serving("rating:v1")
	budget := func() bool { return slices.Contains(s.world.objects(), "PodDisruptionBudget rating of rating") }
	for _, replicas := range []string{"3", "1", "2", "0"} {
		s.told("")
		s.change(`{image: "rating:v1", replicas: ` + replicas + `}`)
		s.until(replicas+" replicas", func(fs *v1alpha1.FleetService) bool {
			return fs.Status.Ready == replicas+"/"+replicas && fs.Status.Phase == "Serving" && fs.Status.Replicas == *fs.Spec.Replicas
		})
		if want := replicas > "1"; budget() != want {
			t.Errorf("with %s replicas a PodDisruptionBudget exists: %v, want %v", replicas, budget(), want)
		}
		if told := s.told(""); len(told) != 0 {
			t.Errorf("events = %q, want none: scaling is no rollout and nobody's hand edit", told)
		}
		s.wantQuiet(replicas + " replicas")
	}
}

// TestAutoscaling: an autoscaler needs a number to begin with, owns it from then on, and goes when it is no longer asked for.
func TestAutoscaling(t *testing.T) {
	s := newStage(t)
	s.install(`{image: "rating:v1", autoscaling: {minReplicas: 2, maxReplicas: 5}}`)
	s.serving("rating:v1")
	has := func(n int32) func(*v1alpha1.FleetService) bool {
		return func(fs *v1alpha1.FleetService) bool {
			return fs.Spec.Replicas != nil && *fs.Spec.Replicas == n && fs.Status.Ready == fmt.Sprintf("%d/%d", n, n)
		}
	}
	s.until("the least number", has(2))
	scaler := &autoscalingv2.HorizontalPodAutoscaler{}
	if err := s.c.Get(t.Context(), client.ObjectKey{Namespace: s.namespace, Name: "rating"}, scaler); err != nil {
		t.Fatal(err)
	}
	cpu := scaler.Spec.Metrics[0].Resource
	if *scaler.Spec.MinReplicas != 2 || scaler.Spec.MaxReplicas != 5 || cpu.Name != corev1.ResourceCPU || *cpu.Target.AverageUtilization != 70 || scaler.Spec.ScaleTargetRef.Name != "rating" {
		t.Errorf("autoscaler = %+v, want 2 to 5 pods at 70 %% of rating's processor time", scaler.Spec)
	}

	number := &autoscalingv1.Scale{Spec: autoscalingv1.ScaleSpec{Replicas: 4}}
	if err := s.c.SubResource("scale").Update(t.Context(), s.get(), client.WithSubResourceBody(number), client.FieldOwner("autoscaler")); err != nil {
		t.Fatal(err)
	}
	s.until("what the autoscaler asks for", has(4))
	s.wantQuiet("after the autoscaler spoke")

	s.change(`{image: "rating:v1", replicas: 4}`)
	s.until("no autoscaler", func(*v1alpha1.FleetService) bool {
		return !slices.Contains(s.world.objects(), "HorizontalPodAutoscaler rating of rating")
	})
	if fs := s.get(); !has(4)(fs) {
		t.Errorf("without the autoscaler %d pods are asked for and %s are ready, want the 4 that it had", *fs.Spec.Replicas, fs.Status.Ready)
	}
}
