package plan_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"movieexample.com/fleet/controllers/fleetservice/plan"
)

// rewinds are the Jobs that take partitions back, and how they do.
type rewinds struct {
	takes, lingers time.Duration // lingers is how long pods of a removed revision go on
	fails          string
	of             plan.Rewind // whose Job there is
	made           time.Time
	all            []string // revisions, in order
}

// rewindJob is what is seen of the rewind that is pending.
func (w *world) rewindJob() plan.RewindJob {
	r := w.state.Rewind
	if r.Phase != plan.RewindPending {
		return plan.RewindJob{}
	}
	job := plan.RewindJob{}
	if w.lingering(r.Hash) {
		job.Reader = r.Hash + "-x"
	}
	switch made := w.rewinds.of.Hash == r.Hash && w.rewinds.of.Since.Equal(r.Since); {
	case !made:
	case w.now.Sub(w.rewinds.made) < w.rewinds.takes:
		job.Phase, job.Message = plan.RewindRunning, "Job rating-rewind runs"
	case w.rewinds.fails != "":
		job.Phase, job.Message = plan.RewindFailed, w.rewinds.fails
	default:
		job.Phase, job.Message = plan.RewindDone, "partitions 0 from 100, 3 from 250 are read again"
	}
	return job
}

// lingering is true while a revision's pods are not gone.
func (w *world) lingering(hash string) bool {
	if _, runs := w.running[hash]; runs {
		return true
	}
	gone, was := w.removed[hash]
	return was && w.now.Sub(gone) < w.rewinds.lingers
}

func (w *world) goBack(hash string) {
	if w.rewinds.of.Hash == hash && w.rewinds.of.Since.Equal(w.state.Rewind.Since) {
		return
	}
	w.rewinds.of, w.rewinds.made = w.state.Rewind, w.now
	w.rewinds.all = append(w.rewinds.all, hash)
	w.say("%-10s what %s has read since %s", "go back", hash, w.state.Rewind.Since.Format(time.TimeOnly))
}

// rewinding is consuming where a bad revision's partitions go back.
func rewinding(partitions, replicas int32) *world {
	w := consuming(partitions, replicas)
	w.policy.Rewind, w.rewinds.lingers = true, 4*time.Second
	return w
}

// TestRewindNarrations tells what becomes of the partitions of a revision that was taken back.
func TestRewindNarrations(t *testing.T) {
	for name, tell := range map[string]func() *world{
		"rewind-after-a-bad-change": func() *world {
			w := rewinding(12, 3)
			w.fails["b2"] = 0.1
			w.ask("b2")
			w.run(time.Minute)
			return w
		},
		"rewind-after-the-bake-returned": func() *world {
			w := rewinding(12, 3)
			w.policy.Bake = 5 * time.Minute
			w.ask("b2")
			w.run(2 * time.Minute)
			w.note("b2 begins to fail")
			w.fails["b2"] = 0.1
			w.run(time.Minute)
			return w
		},
		"rewind-fails": func() *world {
			w := rewinding(12, 3)
			w.fails["b2"], w.rewinds.fails = 0.1, "Job rating-rewind failed: ask for the topic ratings: not authorized"
			w.ask("b2")
			w.run(30 * time.Second)
			w.note("the mended revision is not held up")
			w.behave["c3"] = readyAfter(time.Second)
			w.ask("c3")
			w.run(2 * time.Minute)
			return w
		},
		"rewind-waits-for-a-pod-that-does-not-go": func() *world {
			w := rewinding(12, 3)
			w.fails["b2"], w.rewinds.lingers = 0.1, time.Hour
			w.ask("b2")
			w.run(30 * time.Second)
			w.behave["c3"] = readyAfter(time.Second)
			w.ask("c3")
			w.run(6 * time.Minute)
			return w
		},
		"rewind-before-a-retry": func() *world {
			w := rewinding(12, 3)
			w.fails["b2"] = 0.1
			w.ask("b2")
			w.run(12 * time.Second)
			w.note("a person commands a retry at once")
			w.command = "retry@b2@1"
			w.run(time.Minute)
			return w
		},
		"rewind-not-for-what-never-read": func() *world {
			w := rewinding(12, 3)
			w.behave["b2"] = readyAfter(2 * time.Second)
			w.ask("b2")
			w.run(time.Second)
			w.note("the spec asks for a1 again: that is no verdict")
			w.ask("a1")
			w.run(20 * time.Second)
			return w
		},
	} {
		t.Run(name, func(t *testing.T) { golden(t, name, tell().narration()) })
	}
}

// TestRewinds: whatever happens, partitions go back once for each consumer's revision that was taken back after it had a
// share, when none of its pods is left and before another is tried; and no rewind waits for ever.
func TestRewinds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld()
		w.policy.Partitions, w.policy.Rewind = rapid.SampledFrom([]int32{1, 2, 12}).Draw(t, "partitions"), true
		w.policy.Steps, w.policy.MaxStep = nil, time.Minute
		w.rewinds.takes = rapid.SampledFrom([]time.Duration{0, time.Second, 20 * time.Second}).Draw(t, "Jobs take")
		w.rewinds.lingers = rapid.SampledFrom([]time.Duration{0, 4 * time.Second, time.Hour}).Draw(t, "pods linger")
		w.rewinds.fails = rapid.SampledFrom([]string{"", "no"}).Draw(t, "Jobs fail")
		hashes := []string{"a1", "b2", "c3"}
		behaviours := []behaviour{readyAfter(0), readyAfter(3 * time.Second), showing(2*time.Second, false, crashLoop)}
		for _, h := range hashes {
			w.behave[h] = rapid.SampledFrom(behaviours).Draw(t, "behaviour of "+h)
			w.fails[h] = rapid.SampledFrom([]float64{0, 0.001, 0.1, 1}).Draw(t, "failures of "+h)
		}
		asked, made := 0, 0
		live := func(d time.Duration) {
			for end := w.now.Add(d); w.now.Before(end); w.now = w.now.Add(time.Second) {
				before := w.state
				w.settle(func(w *world) {
					if checkRewind(t, w, before) {
						asked++
					}
					if n := len(w.rewinds.all); n > made && w.lingering(w.rewinds.all[n-1]) {
						t.Fatalf("partitions of %s go back while its pods read:\n%s", w.rewinds.all[n-1], w.narration())
					}
					made, before = len(w.rewinds.all), w.state
				})
				w.count()
			}
		}
		for range rapid.IntRange(1, 10).Draw(t, "events") {
			anyConsumerEvent(t, w, hashes, behaviours)
			live(time.Duration(rapid.IntRange(1, 60).Draw(t, "seconds")) * time.Second)
		}
		w.policy.Rewind = false // nothing more is asked for
		live(6 * time.Minute)
		if w.state.Rewind.Phase == plan.RewindPending || made > asked {
			t.Fatalf("%d rewinds of %d that were asked for, the last %+v; want none to be pending:\n%s", made, asked, w.state.Rewind, w.narration())
		}
	})
}

// checkRewind wants a rewind wherever a revision is taken back that had a share, and tells whether one is asked for.
func checkRewind(t *rapid.T, w *world, before plan.State) bool {
	s := w.state
	bad := s.Rejected
	if bad.Hash != "" && bad != before.Rejected && (before.Percent > 0 || before.Stable.Hash == bad.Hash) && w.policy.Rewind && s.Rewind.Hash != bad.Hash {
		t.Fatalf("%s was taken back and its partitions do not go back:\n%s", bad.Hash, w.narration())
	}
	if s.Rewind.Phase == plan.RewindPending && s.Canary.Hash != "" {
		t.Fatalf("%s is tried before the partitions of %s went back:\n%s", s.Canary.Hash, s.Rewind.Hash, w.narration())
	}
	return s.Rewind.Phase == plan.RewindPending && before.Rewind != s.Rewind
}
