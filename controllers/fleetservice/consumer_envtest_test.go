//go:build envtest

package fleetservice_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"movieexample.com/fleet/api/v1alpha1"
)

const consumerSpec = `{image: "rating:%s", args: [ingest], replicas: 2, drainSeconds: 4, rollout: {minStep: 2s, bake: 20s},
  consumer: {topic: ratings, group: rating, partitions: %d},
  signals: {metrics: {requests: [{counter: ingest_events_total, codeLabel: outcome, errors: [failed, dead_lettered]}]}}}`

// consuming is a stage where v1 reads a topic.
func consuming(t *testing.T, partitions int) *stage {
	t.Helper()
	s := newStage(t)
	pages := s.world.showPages()
	pages.consume, pages.hangs = true, map[string]bool{}
	s.install(fmt.Sprintf(consumerSpec, "v1", partitions))
	s.serving("rating:v1")
	return s
}

// TestConsumer: a consumer has no Service object that callers could follow, and shows its admin port only. A good revision
// takes partitions over by pods, and the old one has none while it bakes.
func TestConsumer(t *testing.T) {
	s := consuming(t, 6)
	for _, name := range []string{"rating", "rating-canary"} {
		if err := s.c.Get(t.Context(), client.ObjectKey{Namespace: s.namespace, Name: name}, &corev1.Service{}); !apierrors.IsNotFound(err) {
			t.Errorf("get Service %s = %v, want none: nobody calls a consumer", name, err)
		}
	}
	for _, d := range s.world.deployments() {
		want := []corev1.ContainerPort{{Name: "admin", ContainerPort: 8090, Protocol: corev1.ProtocolTCP}}
		if diff := cmp.Diff(want, d.Spec.Template.Spec.Containers[0].Ports); diff != "" {
			t.Errorf("ports (-want +got):\n%s", diff)
		}
	}
	s.change(fmt.Sprintf(consumerSpec, "v2", 6))
	var story [][]string
	fs := s.until("the bake", func(fs *v1alpha1.FleetService) bool {
		if images := s.world.images(); len(story) == 0 || !slices.Equal(story[len(story)-1], images) {
			story = append(story, images)
		}
		return fs.Status.Phase == "Baking"
	})
	want := [][]string{{"rating:v1 ×2"}, {"rating:v1 ×2", "rating:v2 ×1"}, {"rating:v1 ×2", "rating:v2 ×2"}, {"rating:v1 ×0", "rating:v2 ×2"}}
	if diff := cmp.Diff(want, story); diff != "" {
		t.Errorf("Deployments (-want +got):\n%s", diff)
	}
	if got := fs.Status.Traffic.Through; got != "membership of the group rating" {
		t.Errorf("traffic goes through %q", got)
	}
	s.serving("rating:v2")
	s.wantQuiet("reading")
}

// TestConsumerIsTakenBack: for what it dead-letters, and for standing still, a canary loses its pods and so its partitions.
func TestConsumerIsTakenBack(t *testing.T) {
	for name, c := range map[string]struct {
		fails  float64
		hangs  bool
		reason string
	}{
		"dead letters": {fails: 0.2, reason: v1alpha1.ReasonWorse},
		"stands still": {hangs: true, reason: v1alpha1.ReasonStuck},
	} {
		t.Run(name, func(t *testing.T) {
			s := consuming(t, 6)
			s.world.pages.fails["rating:v2"], s.world.pages.hangs["rating:v2"] = c.fails, c.hangs
			s.change(fmt.Sprintf(consumerSpec, "v2", 6))
			fs := s.phase("TakenBack")
			if fs.Status.Rejected.Reason != c.reason {
				t.Errorf("rejected = %+v, want %s", fs.Status.Rejected, c.reason)
			}
			s.until("v1 alone", func(*v1alpha1.FleetService) bool { return slices.Equal(s.world.images(), []string{"rating:v1 ×2"}) })
		})
	}
}

// TestConsumerOfOnePartition: the canary takes the only partition over, and the old revision takes it again from one that
// fails.
func TestConsumerOfOnePartition(t *testing.T) {
	s := consuming(t, 1)
	if got := s.world.images(); !slices.Equal(got, []string{"rating:v1 ×1"}) {
		t.Fatalf("%v run, want one pod for one partition", got)
	}
	s.world.pages.fails["rating:v2"] = 0.3
	s.change(fmt.Sprintf(consumerSpec, "v2", 1))
	s.until("v2 reading alone", func(*v1alpha1.FleetService) bool {
		return slices.Equal(s.world.images(), []string{"rating:v1 ×0", "rating:v2 ×1"})
	})
	fs := s.phase("TakenBack")
	if fs.Status.Rejected.Reason != v1alpha1.ReasonWorse {
		t.Errorf("rejected = %+v, want Worse", fs.Status.Rejected)
	}
	s.until("v1 alone", func(*v1alpha1.FleetService) bool { return slices.Equal(s.world.images(), []string{"rating:v1 ×1"}) })
}

// TestConsumerStays: what kind of work a service has is decided when it is made.
func TestConsumerStays(t *testing.T) {
	s := newStage(t)
	s.install(`{image: "rating:v1"}`)
	fs := s.get()
	fs.Spec.Consumer = &v1alpha1.Consumer{Topic: "ratings", Group: "rating", Partitions: 3}
	if err := s.c.Update(t.Context(), fs); !apierrors.IsInvalid(err) {
		t.Errorf("adding consumer = %v, want it refused", err)
	}
}
