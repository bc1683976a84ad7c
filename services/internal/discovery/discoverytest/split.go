package discoverytest

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"movieexample.com/fleet/services/internal/discovery"
	"movieexample.com/fleet/services/internal/discovery/balance"
)

// canary starts a stable v1 of two instances that gets all calls, under load, and a canary v2 of one.
func canary(t *testing.T, s Subject) (*Load, []*Instance) {
	t.Helper()
	stable, list := up(t, s, "v1", "a", "b"), up(t, s, "v2", "c")
	keepReporting(t, s, slices.Concat(stable, list))
	s.SetSubset(service, "v1")
	conn := Dial(t, s, service)
	Eventually(t, "v1 answers", func() bool { revision, err := Call(t.Context(), conn); return err == nil && revision == "v1" })
	load := StartLoad(t, conn)
	load.More(t, 50) // so that silence is a change
	return load, list
}

// keepReporting reports the instances as healthy until the test ends, which on a slow machine is after their time to
// live. An error is an instance that the test has deregistered.
func keepReporting(t *testing.T, s Subject, list []*Instance) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var wait sync.WaitGroup
	wait.Go(func() {
		for ticker := time.Tick(time.Second); ctx.Err() == nil; {
			select {
			case <-ctx.Done():
			case <-ticker:
				for _, i := range list {
					_ = s.ReportHealthy(ctx, service, i.ID, true)
				}
			}
		}
	})
	t.Cleanup(func() { cancel(); wait.Wait() })
}

// weights gives v2 its percent and v1 the rest.
func weights(s Subject, percent float64) {
	s.SetSplit(service, discovery.Share{Subset: "v1", Percent: 100 - percent}, discovery.Share{Subset: "v2", Percent: percent})
}

func silent(load *Load, revision string) func() bool {
	return func() bool { return load.Silent(revision) }
}

func testCanary(t *testing.T, s Subject) {
	load, _ := canary(t, s)
	weights(s, 0)
	load.More(t, 200)
	if !load.Last("v2").IsZero() {
		t.Error("v2 got calls at weight 0")
	}
	weights(s, 1)
	Eventually(t, "v2 gets calls at weight 1", func() bool { return !load.Last("v2").IsZero() })
	if share := load.Share(t, "v2", 400); share > 10 {
		t.Errorf("v2 got %.0f %% of the calls at weight 1", share)
	}
	weights(s, 50)
	Eventually(t, "v2 gets half of the calls, as one instance of three", func() bool {
		share := load.Share(t, "v2", 300)
		return 40 < share && share < 60
	})
	weights(s, 100)
	Eventually(t, "v1 gets no call at weight 0", silent(load, "v1"))
	s.SetSubset(service, "v2")
	s.SetSplit(service)
	load.More(t, 200)
	if !silent(load, "v1")() {
		t.Error("v1 got calls when v2 was made the subset and the split ended")
	}
	load.WantNoFailure(t)
}

func testTakenBack(t *testing.T, s Subject) {
	load, list := canary(t, s)
	weights(s, 50)
	began := time.Now()
	Eventually(t, "v2 gets calls", func() bool { return !load.Last("v2").IsZero() })
	t.Logf("The split reached the caller after %s", time.Since(began))
	s.SetSplit(service)
	began = time.Now()
	Eventually(t, "v2 gets none when the split is gone", silent(load, "v2"))
	t.Logf("The last call at v2 came %s after the end of the split", load.Last("v2").Sub(began))
	weights(s, 50)
	Eventually(t, "v2 gets calls again", func() bool { return !silent(load, "v2")() })
	weights(s, 0)
	Eventually(t, "v2 gets none at weight 0", silent(load, "v2"))
	down(t, s, list)
	load.More(t, 100)
	load.WantNoFailure(t)
}

func testAbsent(t *testing.T, s Subject) {
	load, list := canary(t, s)
	weights(s, 100)
	Eventually(t, "v1 gets no call", silent(load, "v1"))
	down(t, s, list)
	Eventually(t, "v1 gets the calls of v2, which has left", silent(load, "v2"))
	keepReporting(t, s, up(t, s, "v2", "d"))
	Eventually(t, "v2 gets its calls when it is back", silent(load, "v1"))
	load.WantNoFailure(t)
}

func testRefusing(t *testing.T, s Subject) {
	load, list := canary(t, s)
	list[0].Stop() // still registered
	weights(s, 50)
	conn := Dial(t, s, service)
	Eventually(t, "a call meant for v2 is taken by v1", func() bool {
		ctx, picked := balance.WithPicked(t.Context())
		revision, err := Call(ctx, conn)
		return err == nil && revision == "v1" && picked.Missed() == "v2"
	})
	load.More(t, 200)
	load.WantNoFailure(t)
}
