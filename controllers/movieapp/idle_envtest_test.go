//go:build envtest

package movieapp_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	eventsv1 "k8s.io/api/events/v1"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"movieexample.com/fleet/api/v1alpha1"
)

// TestIdle: when nothing changes nothing is written, one edit changes each service once, and Secrets are not read again
// each time.
func TestIdle(t *testing.T) {
	t.Parallel()
	s := emptyStage(t)
	s.clock = clocktesting.NewFakePassiveClock(time.Now()) // however long it takes: all of it is within a minute
	s.start()
	s.bringUp()
	s.eventually(func() string { // events are written a moment after what they tell of
		list := &eventsv1.EventList{}
		if err := s.c.List(t.Context(), list, client.InNamespace(s.namespace)); err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(list.Items, func(e eventsv1.Event) bool { return e.Reason == "Serving" }) {
			return "no event tells that the application serves"
		}
		return ""
	})
	want := s.generations()
	writes, reads := s.calls.seen()
	for i := range 5 {
		s.edit("movies", func(a *v1alpha1.MovieApp) {
			a.Annotations = map[string]string{"test": fmt.Sprint(i)} // wakes the controller
		})
	}
	s.serve("movies-metadata")
	s.edit("movies", func(a *v1alpha1.MovieApp) { a.Spec.Ownership.Oncall = "night" })
	s.eventually(func() string {
		if s.fleet()["movies-movie"].Spec.Ownership.Oncall != "night" {
			return "the change that comes last has not arrived"
		}
		return ""
	})
	after := s.calls.since(writes)
	if first := slices.IndexFunc(after, isApply); first != 0 {
		t.Errorf("before the edit arrived the controller wrote %q, want nothing", after[:max(first, 0)])
	}
	if _, readsAfter := s.calls.seen(); readsAfter != reads {
		t.Errorf("Secrets were read %d times more within a minute, want 0", readsAfter-reads)
	}

	s.shows("3/2") // the controller's cache is behind before that: it may apply again what it has applied, to no effect
	settled, _ := s.calls.seen()
	for name := range want {
		want[name]++
	}
	if diff := cmp.Diff(want, s.generations()); diff != "" {
		t.Errorf("generations after one edit of ownership (-want +got):\n%s", diff)
	}
	s.shows("4/2")
	if more := slices.DeleteFunc(s.calls.since(settled), func(w string) bool { return !isApply(w) }); len(more) > 0 {
		t.Errorf("the controller that knows all that it did applied %q once more, want nothing", more)
	}
}

// isApply tells whether a call writes a FleetService.
func isApply(call string) bool {
	return strings.HasPrefix(call, "PATCH ") && strings.Contains(call, "/fleetservices/")
}

// generations count the changes of each FleetService.
func (s *stage) generations() map[string]int64 {
	s.t.Helper()
	out := map[string]int64{}
	for name, fs := range s.fleet() {
		out[name] = fs.Generation
	}
	return out
}

// shows writes what movies-movie tells of its pods, and waits until the controller has it: and with it whatever happened to
// any FleetService before.
func (s *stage) shows(ready string) {
	s.t.Helper()
	fs := s.fleet()["movies-movie"]
	fs.Status.Ready = ready
	if err := s.c.Status().Update(s.t.Context(), fs, client.FieldOwner("tester")); err != nil {
		s.t.Fatal(err)
	}
	s.eventually(func() string {
		services := s.app("movies").Status.Services
		if !slices.ContainsFunc(services, func(v v1alpha1.ServiceSummary) bool { return v.Name == "movie" && v.Ready == ready }) {
			return fmt.Sprintf("status.services = %+v, want movie with %s pods", services, ready)
		}
		return ""
	})
}
