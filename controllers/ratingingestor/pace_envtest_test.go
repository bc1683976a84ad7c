//go:build envtest

package ratingingestor_test

import (
	"testing"
	"time"
)

// TestNumbersAreWrittenNowAndThen: what every look finds anew is no write for every look, and lag that comes is one.
func TestNumbersAreWrittenNowAndThen(t *testing.T) {
	s := newStage(t)
	s.install(usual)
	s.flow(10, 100, 100) // taken at once
	var versions []string
	for range 12 { // a minute
		for i := range s.report.Partitions {
			s.report.Partitions[i].End += 51
			s.report.Partitions[i].Committed += 51
		}
		s.clock.Step(5 * time.Second)
		s.reconcile()
		if v := s.ingestor().ResourceVersion; len(versions) == 0 || versions[len(versions)-1] != v {
			versions = append(versions, v)
		}
	}
	if len(versions) < 2 || len(versions) > 6 {
		t.Errorf("%d writes for 12 looks, want 2 to 6", len(versions))
	}
	s.report.Partitions[0].End++
	s.clock.Step(5 * time.Second)
	s.reconcile()
	if got := s.ingestor().Status.Lag; got != 1 {
		t.Errorf("lag = %d right after the first record waits, want 1", got)
	}
}
