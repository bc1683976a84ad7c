//go:build envtest

package ratingingestor_test

import (
	"strings"
	"testing"
)

// busy is an ingestor whose consumer takes 60 records a second of 600, with a member of the group for each pod.
func busy(t *testing.T, spec string) *stage {
	t.Helper()
	s := newStage(t)
	s.join(1)
	s.install(spec)
	s.flow(4, 1000, 100)
	return s
}

// TestScales: more pods come when what comes and waits needs them, no more than partitions, and status and an event say
// why.
func TestScales(t *testing.T) {
	s := busy(t, usual)
	if got := *s.get("ratings").Spec.Replicas; got != 2 {
		t.Errorf("%d pods, want twice as many as before", got)
	}
	st := s.ingestor().Status
	if st.ProducedPerSecond != "600" || st.ConsumedPerSecond != "60" || st.PerConsumer != "60" || st.Lag < 5000 || st.LastCommit == nil || st.WantedReplicas != 6 {
		t.Errorf("status = %+v", st)
	}
	if told := s.told("Scaled"); len(told) != 1 || !strings.Contains(told[0], "1 → 2 pods: 600 records/s come") {
		t.Errorf("events %q", told)
	}
	for _, pods := range []int64{2, 4} {
		s.join(int32(pods))
		s.flow(10, 1000, 100*pods)
	}
	if got := *s.get("ratings").Spec.Replicas; got != 6 {
		t.Errorf("%d pods, want as many as partitions", got)
	}
	if told := s.told("ScalingIneffective"); len(told) != 0 {
		t.Errorf("events %q while each pod makes it faster", told)
	}
}

// TestScalesNotInVain: where two pods take no more than one did, none is added, and an event says once where to look.
func TestScalesNotInVain(t *testing.T) {
	s := busy(t, usual)
	s.join(2)
	s.flow(20, 1000, 100)
	if got := *s.get("ratings").Spec.Replicas; got != 2 {
		t.Errorf("%d pods, want the two that showed that one is enough for what can be taken", got)
	}
	told := s.told("ScalingIneffective")
	if len(told) != 1 || !strings.Contains(told[0], "2 pods take 60 records/s, hardly more than 1 took (60/s): none is added, though 600/s come") {
		t.Errorf("events %q", told)
	}
}
