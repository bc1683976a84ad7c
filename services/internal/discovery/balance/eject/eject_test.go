package eject_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"movieexample.com/fleet/services/internal/discovery/balance/eject"
)

func keepAll(string) bool { return true }

// fleet makes a group with instances of these revisions.
func fleet(revisions ...string) (*eject.Group, []*eject.Member) {
	g := eject.NewGroup()
	return g, g.Set(candidates(revisions...), keepAll)
}

func candidates(revisions ...string) []eject.Candidate {
	list := make([]eject.Candidate, len(revisions))
	for i, r := range revisions {
		list[i] = eject.Candidate{Address: fmt.Sprint(i), Revision: r}
	}
	return list
}

// round gives each instance a call, which ends as how says, and counts the calls that were taken.
func round(members []*eject.Member, how func(i int) eject.Result) []int {
	took := make([]int, len(members))
	for i, m := range members {
		if ok, trial := m.Take(); ok {
			took[i]++
			m.Done(trial, how(i))
		}
	}
	return took
}

func bad(which ...int) func(int) eject.Result {
	return func(i int) eject.Result {
		for _, w := range which {
			if i == w {
				return eject.Bad
			}
		}
		return eject.Good
	}
}

func ins(members []*eject.Member) string {
	text := ""
	for _, m := range members {
		if m.In() {
			text += "+"
		} else {
			text += "-"
		}
	}
	return text
}

func TestWhoIsLeftOut(t *testing.T) {
	all := func(int) eject.Result { return eject.Bad }
	for name, tc := range map[string]struct {
		revisions []string
		how       func(int) eject.Result
		want      string
	}{
		"nobody while all are well":                        {[]string{"a", "a", "a"}, bad(), "+++"},
		"the odd one out of two":                           {[]string{"a", "a"}, bad(0), "-+"},
		"the odd one out of three":                         {[]string{"a", "a", "a"}, bad(1), "+-+"},
		"no more than half":                                {[]string{"a", "a", "a"}, bad(0, 1), "-++"},
		"half":                                             {[]string{"a", "a", "a", "a"}, bad(0, 1), "--++"},
		"never the last of its revision":                   {[]string{"a", "a", "b"}, bad(2), "+++"},
		"not a bad revision":                               {[]string{"a", "a", "b", "b"}, bad(2, 3), "++++"},
		"but the odd one of a canary":                      {[]string{"a", "a", "b", "b"}, bad(2), "++-+"},
		"nobody if all fail: it is not for their instance": {[]string{"a", "a", "a", "a"}, all, "++++"},
		"nobody whose revision is unknown":                 {[]string{"", "", ""}, bad(0), "+++"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, members := fleet(tc.revisions...)
				for range 20 {
					round(members, tc.how)
				}
				if got := ins(members); got != tc.want {
					t.Errorf("instances that take calls = %s, want %s", got, tc.want)
				}
			})
		})
	}
}

func TestARevisionLearntFromAnswers(t *testing.T) {
	_, members := fleet("", "", "")
	for i, m := range members {
		m.Learn([]string{"a", "a", "b"}[i])
	}
	for range 20 {
		round(members, bad(0, 2))
	}
	if got := ins(members); got != "-++" {
		t.Errorf("instances that take calls = %s, want -++: the last is the only one of its revision", got)
	}
}

func TestHowFastItIsFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, members := fleet("a", "a", "a")
		for range 10_000 { // its good past must not protect it
			round(members, bad())
		}
		calls := 0
		for ; members[0].In(); calls++ {
			round(members, bad(0))
		}
		if calls > 5 {
			t.Errorf("left out after %d bad calls, want at most 5", calls)
		}
	})
}

// One in two calls bad is never five in a row for long, but it is half of them.
func TestAnInstanceThatFailsHalfOfItsCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, members := fleet("a", "a", "a")
		turn := 0
		for range 20 {
			turn++
			round(members, func(i int) eject.Result {
				if i == 0 && turn%2 == 1 {
					return eject.Bad
				}
				return eject.Good
			})
		}
		if got := ins(members); got != "-++" {
			t.Errorf("instances that take calls = %s, want -++", got)
		}
	})
}

// A canary whose every instance fails one call in three at random must keep on showing it.
func TestARevisionThatFailsAtRandomShowsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, members := fleet("b", "b", "b", "b")
		random := rand.New(rand.NewPCG(1, 2)) // a fixed seed: the test always says the same
		calls, failed := 0, 0
		for range 30_000 {
			round(members, func(int) eject.Result {
				calls++
				if random.IntN(3) == 0 {
					failed++
					return eject.Bad
				}
				return eject.Good
			})
			time.Sleep(10 * time.Millisecond)
		}
		if share := float64(failed) / float64(calls); share < 0.32 || share > 0.35 {
			t.Errorf("the revision shows %.3f bad calls, want a third", share)
		}
	})
}

// The trials cost next to nothing: an instance that hangs gets one call at a time, ever more rarely.
func TestTheCostOfAnInstanceThatStaysBad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, members := fleet("a", "a", "a")
		calls, failed := 0, 0
		for began := time.Now(); time.Since(began) < 5*time.Minute; time.Sleep(30 * time.Millisecond) {
			took := round(members, bad(0))
			calls += took[0] + took[1] + took[2]
			failed += took[0]
		}
		if share := float64(failed) / float64(calls); share > 0.001 {
			t.Errorf("%d of %d calls failed at the bad instance in 5 minutes, want at most 0.1 %%", failed, calls)
		}
	})
}

func TestOneCallAtATimeTriesIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, members := fleet("a", "a")
		for range 10 {
			round(members, bad(0))
		}
		time.Sleep(10 * time.Second)
		for i := range 3 {
			ok, trial := members[0].Take()
			if !ok || !trial {
				t.Fatalf("Take() %d after 10 s = %t, %t, want a call to try it", i, ok, trial)
			}
			if ok, _ := members[0].Take(); ok {
				t.Fatal("Take() beside it = true, want one call at a time")
			}
			members[0].Done(trial, eject.Nothing)
			_, trial = members[0].Take()
			members[0].Done(trial, eject.Good)
		}
		if !members[0].In() {
			t.Error("it does not take its turns again after three good calls")
		}
	})
}

func TestWhatIsKnownOutlivesAChangeOfInstances(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, members := fleet("a", "a", "a")
		for range 10 {
			round(members, bad(0))
		}
		members = g.Set(candidates("a", "a", "a", "a"), keepAll)
		if got := ins(members); got != "-+++" {
			t.Errorf("instances that take calls, with a new one = %s, want -+++", got)
		}
		members = g.Set(candidates("a"), keepAll)
		if got := ins(members); got != "+" {
			t.Errorf("the last one of the revision takes calls = %s, want +", got)
		}
		for range 10 {
			round(members, bad(0))
		}
		members = g.Set(candidates("b", "b"), keepAll) // other pods under the same addresses
		if got := ins(members); got != "++" {
			t.Errorf("new instances with old addresses take calls = %s, want ++", got)
		}
	})
}

// Whatever happens: at most half of a revision's instances are left out, and one of it always takes calls.
func TestHalfAlwaysTakeCalls(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := eject.NewGroup()
		var list []eject.Candidate
		var members []*eject.Member
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			if len(members) == 0 || rapid.IntRange(0, 9).Draw(t, "change") == 0 {
				revisions := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b"}), 1, 6).Draw(t, "revisions")
				list = candidates(revisions...)
				members = g.Set(list, func(address string) bool { return address < "3" })
			}
			results := rapid.SliceOfN(rapid.SampledFrom([]eject.Result{eject.Good, eject.Bad, eject.Bad, eject.Nothing}), len(members), len(members)).Draw(t, "results")
			for range 6 {
				round(members, func(i int) eject.Result { return results[i] })
			}
			all, out := map[string]int{}, map[string]int{}
			for i, m := range members {
				all[list[i].Revision]++
				if !m.In() {
					out[list[i].Revision]++
				}
			}
			for revision, n := range all {
				if out[revision] > n/2 {
					t.Fatalf("%d of %d instances of %s are left out", out[revision], n, revision)
				}
			}
		}
	})
}

func BenchmarkCall(b *testing.B) {
	_, members := fleet("a", "a", "a")
	for b.Loop() {
		_, trial := members[0].Take()
		members[0].Done(trial, eject.Good)
	}
}
