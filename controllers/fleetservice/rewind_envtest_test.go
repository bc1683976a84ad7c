//go:build envtest

package fleetservice_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"movieexample.com/fleet/api/v1alpha1"
)

// rewinding is consumerSpec where partitions go back.
func rewinding(image string) string {
	return strings.Replace(fmt.Sprintf(consumerSpec, image, 6), "partitions: 6", "partitions: 6, rewind: true", 1)
}

// spoiling is a stage where v2 is about to be tried and dead-letters a fifth of its events.
func spoiling(t *testing.T) *stage {
	t.Helper()
	s := consuming(t, 6)
	s.change(rewinding("v1"))
	s.serving("rating:v1")
	s.world.pages.fails["rating:v2"] = 0.2
	return s
}

// rewindJobs are the Jobs that take partitions back.
func (w *world) rewindJobs() []batchv1.Job {
	w.t.Helper()
	var jobs batchv1.JobList
	w.list(&jobs)
	return slices.DeleteFunc(jobs.Items, func(j batchv1.Job) bool { return !strings.Contains(j.Name, "-rewind-") })
}

// settled waits until the rewind has ended.
func (s *stage) settled() *v1alpha1.FleetService {
	s.t.Helper()
	return s.until("the end of the rewind", func(fs *v1alpha1.FleetService) bool {
		return fs.Status.Rewind != nil && fs.Status.Rewind.Phase != "Pending"
	})
}

// TestRewind: when the pods of a revision that was taken back are gone, a Job of the stable one takes its partitions back,
// once, and status has its words.
func TestRewind(t *testing.T) {
	s := spoiling(t)
	s.world.reports = map[string]string{"rating:v1": "partitions 0 from 100, 3 from 250 are read again"}
	s.change(rewinding("v2"))
	fs := s.phase("TakenBack")
	if r := fs.Status.Rewind; r == nil || r.Phase != "Pending" || r.Revision != fs.Status.Rejected.Hash {
		t.Fatalf("rewind = %+v, want the pending one of %s", r, fs.Status.Rejected.Hash)
	}
	bad := fs.Status.Rejected.Hash
	fs = s.settled()
	if images := s.world.images(); !slices.Equal(images, []string{"rating:v1 ×2"}) {
		t.Errorf("%q run, want v1 alone", images)
	}
	want := "partitions 0 from 100, 3 from 250 are read again"
	if r := fs.Status.Rewind; r.Phase != "Done" || r.Message != want {
		t.Errorf("rewind = %+v, want Done: %s", r, want)
	}
	s.wantCondition(s.phase("TakenBack"), v1alpha1.ConditionRolledBack, "True Worse", "Rewound: "+want)
	if told := s.told("Rewound"); len(told) != 1 || !strings.Contains(told[0], "Normal Rewound revision "+bad+": "+want) {
		t.Errorf("events = %q, want one that tells of it", told)
	}
	jobs := s.world.rewindJobs()
	if len(jobs) != 1 {
		t.Fatalf("%d Jobs, want one", len(jobs))
	}
	c := jobs[0].Spec.Template.Spec.Containers[0]
	since := fs.Status.Rewind.Since.UTC().Format("2006-01-02T15:04:05Z")
	if c.Image != "rating:v1" || !slices.Equal(c.Args[:5], []string{"rewind", "--revision", bad, "--since", since}) {
		t.Errorf("the Job runs %s %q, want v1 with rewind of %s since %s", c.Image, c.Args, bad, since)
	}
	s.wantQuiet("rewound")
	s.change(rewinding("v3"))
	s.until("v3 on trial", func(fs *v1alpha1.FleetService) bool { return fs.Status.Canary != nil })
	s.until("the Job gone", func(*v1alpha1.FleetService) bool { return len(s.world.rewindJobs()) == 0 })
	if r := s.get().Status.Rewind; r != nil {
		t.Errorf("rewind = %+v while another revision is tried, want none", r)
	}
}

// TestRewindFails: a person learns why, and how to do it by hand, and the next revision is tried all the same.
func TestRewindFails(t *testing.T) {
	s := spoiling(t)
	s.world.failing = map[string]string{"rating:v1": "rating: ask for the topic ratings: not authorized"}
	s.change(rewinding("v2"))
	fs := s.settled()
	if r := fs.Status.Rewind; r.Phase != "Failed" || !strings.Contains(r.Message, "not authorized") || !strings.Contains(r.Message, "rewind --revision "+r.Revision) {
		t.Errorf("rewind = %+v, want the reason and what to do", r)
	}
	s.wantCondition(s.phase("TakenBack"), v1alpha1.ConditionRolledBack, "True Worse", "Not rewound: ", "failed (BackoffLimitExceeded): ", "not authorized")
	if told := s.told("Warning RewindFailed"); len(told) != 1 {
		t.Errorf("events = %q, want one", told)
	}
	s.change(rewinding("v3"))
	s.serving("rating:v3")
}

// TestRewindWaits: as long as a pod of the bad revision may read there is no Job, and after some minutes a person is told.
func TestRewindWaits(t *testing.T) {
	s := spoiling(t)
	s.world.stuck = true
	s.change(rewinding("v2"))
	s.phase("TakenBack")
	for range 20 {
		s.step()
		if jobs := s.world.rewindJobs(); len(jobs) > 0 {
			t.Fatalf("Job %s was made while the bad revision's pod is there", jobs[0].Name)
		}
	}
	s.wantCondition(s.get(), v1alpha1.ConditionRolledBack, "True Worse", "go back to where it began with them when pod rating-")
	s.clock.Step(rounds * tick)
	s.clock.Step(rounds * tick)
	fs := s.settled()
	if r := fs.Status.Rewind; r.Phase != "Failed" || !strings.Contains(r.Message, "is still there after 5m0s") {
		t.Errorf("rewind = %+v, want it given up", r)
	}
}

// TestNoRewind: nobody asked for it.
func TestNoRewind(t *testing.T) {
	s := consuming(t, 6)
	s.world.pages.fails["rating:v2"] = 0.2
	s.change(fmt.Sprintf(consumerSpec, "v2", 6))
	s.phase("TakenBack")
	for range 10 {
		s.step()
	}
	if fs := s.get(); fs.Status.Rewind != nil || len(s.world.rewindJobs()) > 0 {
		t.Errorf("rewind = %+v, want none", fs.Status.Rewind)
	}
}

// TestRewindSurvivesACrash ends the process after each call from the trial to the end of the rewind: there is one Job all
// the same, and it is told of.
func TestRewindSurvivesACrash(t *testing.T) {
	reference := spoiling(t)
	reference.writes = nil
	reference.change(rewinding("v2"))
	reference.settled()
	for n, write := range reference.writes {
		t.Run(fmt.Sprintf("%02d %s", n, write), func(t *testing.T) {
			s := spoiling(t)
			s.crashAt(n)
			s.change(rewinding("v2"))
			fs := s.settled()
			if fs.Status.Rewind.Phase != "Done" || len(s.world.rewindJobs()) != 1 {
				t.Errorf("rewind = %+v with %d Jobs, want it done by one", fs.Status.Rewind, len(s.world.rewindJobs()))
			}
			s.until("v1 alone", func(*v1alpha1.FleetService) bool { return slices.Equal(s.world.images(), []string{"rating:v1 ×2"}) })
		})
	}
}

// report leaves the pod of a Job that has ended with what it wrote about it.
func report(text string) corev1.ContainerState {
	return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: "Completed", Message: text}}
}
