//go:build envtest

package fleetservice_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"movieexample.com/fleet/api/v1alpha1"
)

func (s *stage) delete() {
	s.t.Helper()
	if err := s.c.Delete(s.t.Context(), s.get()); err != nil {
		s.t.Fatalf("delete the service: %v", err)
	}
}

func (s *stage) gone() bool {
	s.t.Helper()
	err := s.c.Get(s.t.Context(), client.ObjectKey{Namespace: s.namespace, Name: "rating"}, &v1alpha1.FleetService{})
	if err != nil && !apierrors.IsNotFound(err) {
		s.t.Fatal(err)
	}
	return err != nil
}

func TestDeletionWaitsForPods(t *testing.T) {
	s := newStage(t)
	s.install(v1)
	s.serving("rating:v1")
	s.delete()
	s.writes, s.world.stuck = nil, true // pods finish their requests
	for range 5 {
		s.step()
	}
	if s.gone() {
		t.Fatal("the service is gone while its pods still run")
	}
	if len(s.world.images()) != 0 {
		t.Errorf("%q are still wanted, want the Deployments deleted", s.world.images())
	}
	s.world.stuck = false
	for range 3 {
		s.step()
	}
	if !s.gone() {
		t.Errorf("the service is still there after its pods went")
	}
	for _, w := range s.writes {
		if strings.HasPrefix(w, "create") || strings.HasPrefix(w, "apply") {
			t.Errorf("%q while the service was being deleted: nothing may be created", w)
		}
	}
}

func TestDeletionHasADeadline(t *testing.T) {
	s := newStage(t)
	s.install(v1)
	s.serving("rating:v1")
	s.delete()
	s.world.stuck = true
	s.step()
	s.clock.Step(2 * time.Minute)
	s.step()
	if !s.gone() {
		t.Error("the service waits for ever for pods that do not stop")
	}
	if told := s.told("DeletionSkipped"); len(told) != 1 || !strings.Contains(told[0], "pods are still stopping") {
		t.Errorf("events = %q, want one that says that pods are still stopping", told)
	}
}

func TestDeletionWithoutConsul(t *testing.T) {
	s := newStage(t)
	s.secret("consul", map[string]string{"type": "consul", "host": "127.0.0.1", "port": "1"})
	s.install(`{image: "rating:v1", bindings: {consul: {secretRef: {name: consul}}}}`)
	s.until("a trial", func(fs *v1alpha1.FleetService) bool { return fs.Status.Stable != nil })
	s.delete()
	for range 10 {
		s.step()
	}
	if s.gone() {
		t.Fatal("the service is gone at once, want it to try Consul for a while")
	}
	s.clock.Step(2 * time.Minute)
	s.step()
	if !s.gone() {
		t.Error("the service waits for Consul for ever")
	}
	if told := s.told("DeletionSkipped"); len(told) != 1 || !strings.Contains(told[0], "what Consul holds of it: consul at http://127.0.0.1:1") {
		t.Errorf("events = %q, want one that names Consul's address", told)
	}
}

func TestOrphans(t *testing.T) {
	s := newStage(t)
	s.install(`{image: "rating:v1", replicas: 2, deletionPolicy: Orphan}`)
	s.serving("rating:v1")
	before := s.world.objects()
	s.delete()
	s.step()
	if !s.gone() {
		t.Fatal("the service is still there")
	}
	var want []string
	for _, o := range before {
		want = append(want, strings.TrimSuffix(strings.TrimSuffix(o, " of rating"), " of nobody")+" of nobody")
	}
	if got := s.world.objects(); !slices.Equal(got, want) {
		t.Errorf("objects = %q, want them all left, of nobody: %q", got, want)
	}
	if images := s.world.images(); !slices.Equal(images, []string{"rating:v1 ×2"}) {
		t.Errorf("%q run, want rating:v1 to go on", images)
	}
}

// TestDeletionOfAStalledService: what needed a person needs none any more.
func TestDeletionOfAStalledService(t *testing.T) {
	s := newStage(t)
	s.rejected(func() {})
	s.wantCondition(s.get(), v1alpha1.ConditionStalled, "True ")
	s.delete()
	s.world.stuck = true // pods finish their requests
	s.step()
	fs := s.get()
	s.wantCondition(fs, v1alpha1.ConditionStalled, "False Deleting")
	s.wantCondition(fs, v1alpha1.ConditionReconciling, "True Deleting")
}
