//go:build envtest

package ratingingestor_test

import (
	"testing"

	"k8s.io/utils/ptr"

	"movieexample.com/fleet/api/v1alpha1"
)

// TestBoundsHoldAtOnce: an edit of the bounds does not wait for the next look at Kafka.
func TestBoundsHoldAtOnce(t *testing.T) {
	s := busy(t, usual)
	for _, c := range []struct{ least, most, want int32 }{{1, 1, 1}, {3, 4, 3}, {1, 4, 3}} {
		s.edit(func(ri *v1alpha1.RatingIngestor) {
			ri.Spec.Scaling.MinReplicas, ri.Spec.Scaling.MaxReplicas = c.least, c.most
		})
		s.reconcile()
		if got := *s.get("ratings").Spec.Replicas; got != c.want {
			t.Errorf("%d pods after an edit to %d to %d, want %d", got, c.least, c.most, c.want)
		}
	}
}

// TestBackFromExternal: when the operator scales again, the pods that an autoscaler asked for stay until fewer were enough for
// five minutes, however long that was in charge.
func TestBackFromExternal(t *testing.T) {
	s := busy(t, usual)
	s.edit(func(ri *v1alpha1.RatingIngestor) {
		ri.Spec.Scaling.Mode, ri.Spec.Replicas = v1alpha1.ScalingExternal, ptr.To[int32](5)
	})
	s.flow(40, 10, 10_000) // nothing waits, for longer than five minutes
	s.edit(func(ri *v1alpha1.RatingIngestor) {
		ri.Spec.Scaling.Mode, ri.Spec.Replicas = v1alpha1.ScalingLag, nil
	})
	s.reconcile()
	if got := *s.get("ratings").Spec.Replicas; got != 5 {
		t.Errorf("%d pods as soon as the operator scales again, want still 5", got)
	}
	s.flow(28, 10, 10_000)
	if got := *s.get("ratings").Spec.Replicas; got != 5 {
		t.Errorf("%d pods before five minutes of calm are over, want still 5", got)
	}
	s.flow(4, 10, 10_000)
	if got := *s.get("ratings").Spec.Replicas; got != 1 {
		t.Errorf("%d pods after five minutes of calm, want 1", got)
	}
}

// TestReadyAtItsNewSpec: whoever waits for Ready after an edit waits until the FleetService has looked at it.
func TestReadyAtItsNewSpec(t *testing.T) {
	s := newStage(t)
	s.install(usual)
	s.promote("ratings", "rating:v1")
	s.reconcile()
	s.wantCondition(v1alpha1.ConditionReady, "True")
	s.edit(func(ri *v1alpha1.RatingIngestor) {
		ri.Spec.Scaling.MinReplicas, ri.Spec.Scaling.Mode = 2, v1alpha1.ScalingExternal
		ri.Spec.Replicas = ptr.To[int32](2)
	})
	s.reconcile()
	s.wantCondition(v1alpha1.ConditionReady, "False Starting", "has not looked at its new spec yet")
	s.wantCondition(v1alpha1.ConditionReconciling, "True Starting")
	s.wantCondition(v1alpha1.ConditionAvailable, "True")
	s.promote("ratings", "rating:v1")
	s.reconcile()
	s.wantCondition(v1alpha1.ConditionReady, "True")
}
