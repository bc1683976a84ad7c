//go:build envtest

package fleetservice_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"movieexample.com/fleet/api/v1alpha1"
)

// TestCrashAfterAnyCall ends the process right after each call that changes something during an update; its answer is
// lost with it. (A crash before a call is one after the call before it.) A new process goes on, and nobody sees a difference.
func TestCrashAfterAnyCall(t *testing.T) {
	reference := newStage(t)
	reference.install(v1)
	reference.serving("rating:v1")
	reference.writes = nil
	reference.change(v2)
	reference.updated()
	want := reference.world.objects()
	if len(reference.writes) < 10 {
		t.Fatalf("the update took the calls %q, want more: crashes come between them", reference.writes)
	}
	for n, write := range reference.writes {
		t.Run(fmt.Sprintf("%02d %s", n, write), func(t *testing.T) {
			s := newStage(t)
			s.install(v1)
			s.serving("rating:v1")
			s.crashAt(n)
			s.change(v2)
			if diff := cmp.Diff(updateStory, s.updated()); diff != "" {
				t.Errorf("the update (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(want, s.world.objects()); diff != "" {
				t.Errorf("objects (-without a crash +with it):\n%s", diff)
			}
			s.wantCondition(s.get(), v1alpha1.ConditionReady, "True Serving")
			if s.after != nil {
				t.Errorf("call %d never came: no crash was tried", n)
			}
		})
	}
}

// TestCrashDuringDeletion does the same for the calls of a deletion.
func TestCrashDuringDeletion(t *testing.T) {
	for n := range 3 {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			s := newStage(t)
			s.install(v1)
			s.serving("rating:v1")
			s.crashAt(n)
			s.delete()
			for range 10 {
				s.step()
			}
			if !s.gone() || len(s.world.images()) != 0 {
				t.Errorf("the service is gone: %v, and %q run, want nothing left", s.gone(), s.world.images())
			}
		})
	}
}

// crashAt ends the process after the n-th call from now.
func (s *stage) crashAt(n int) {
	calls := 0
	s.after = func(string) error {
		if calls++; calls <= n {
			return nil
		}
		s.after, s.reconciler = nil, nil
		return errCrash
	}
}

// TestRejectionSurvivesACrash does the same for a revision that is taken back: it stays so.
func TestRejectionSurvivesACrash(t *testing.T) {
	reference := newStage(t)
	reference.rejected(func() { reference.writes = nil })
	for n, write := range reference.writes {
		t.Run(fmt.Sprintf("%02d %s", n, write), func(t *testing.T) {
			s := newStage(t)
			s.rejected(func() { s.crashAt(n) })
			if s.after != nil {
				t.Errorf("call %d never came: no crash was tried", n)
			}
			for range 10 {
				s.step()
			}
			fs := s.get()
			if got := condition(fs, v1alpha1.ConditionRolledBack); !strings.Contains(got, "boom") || s.world.selected("rating") != "rating:v1" {
				t.Errorf("RolledBack = %q and %s is selected, want the reason and rating:v1", got, s.world.selected("rating"))
			}
			if fs.Status.Phase != "TakenBack" || len(s.world.images()) != 1 {
				t.Errorf("phase %s and %q run later, want TakenBack and rating:v1 alone", fs.Status.Phase, s.world.images())
			}
		})
	}
}

// rejected brings a service to where v2 was taken back; begin is called before v2 is asked for.
func (s *stage) rejected(begin func()) {
	s.t.Helper()
	s.world.behaviors["rating:v2"] = crashes("boom")
	s.install(v1)
	s.serving("rating:v1")
	begin()
	s.change(v2)
	s.phase("TakenBack")
	s.until("the broken pods gone", func(*v1alpha1.FleetService) bool { return slices.Equal(s.world.images(), []string{"rating:v1 ×2"}) })
}
