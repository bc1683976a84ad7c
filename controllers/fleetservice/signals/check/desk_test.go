package check_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/utils/clock"

	"movieexample.com/fleet/controllers/fleetservice/signals/check"
)

// slow answers after a while what it is told to.
type slow struct {
	takes  time.Duration
	answer check.Answer
	asked  atomic.Int64
}

func (s *slow) Ask(ctx context.Context, _ check.Rollout) check.Answer {
	s.asked.Add(1)
	select {
	case <-time.After(s.takes):
	case <-ctx.Done():
	}
	return s.answer
}

// TestDesk: nobody waits for an answer, and none is given to another weight than it was asked about.
func TestDesk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		desk := check.NewDesk(clock.RealClock{})
		c := &slow{takes: 6 * time.Second, answer: check.Answer{Verdict: check.Fail, Message: "no"}}
		ask := func(weight int32) check.Verdict {
			return desk.Ask("movies/rating", c, check.Rollout{Canary: "cccc", Weight: weight}, 5*time.Second).Verdict
		}
		for _, step := range []struct {
			after  time.Duration
			weight int32
			want   check.Verdict
			asked  int64
		}{
			{0, 1, check.Wait, 1},
			{5500 * time.Millisecond, 1, check.Wait, 1}, // under way
			{time.Second, 1, check.Fail, 2},             // answered, and asked anew
			{time.Second, 1, check.Fail, 2},
			{0, 5, check.Wait, 3}, // another weight
			{7 * time.Second, 5, check.Fail, 4},
		} {
			time.Sleep(step.after)
			got := ask(step.weight)
			synctest.Wait()
			if got != step.want || c.asked.Load() != step.asked {
				t.Errorf("after %s at weight %d: %s, asked %d times; want %s, %d times", step.after, step.weight, got, c.asked.Load(), step.want, step.asked)
			}
		}
		desk.Forget("movies/rating")
		if got := ask(5); got != check.Wait {
			t.Errorf("after Forget = %s, want Wait", got)
		}
		desk.Close()
		if n := c.asked.Load(); ask(9) != check.Wait || c.asked.Load() != n {
			t.Error("a desk that is closed asked again")
		}
	})
}
