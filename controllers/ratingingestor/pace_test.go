package ratingingestor

import (
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"movieexample.com/fleet/api/v1alpha1"
)

// TestPace: under traffic, with a lag that comes and goes or one that stays, status is written a few times in two minutes of a look
// every five seconds; lag that comes, and lag that is gone for good, shows at once and at the next look.
func TestPace(t *testing.T) {
	const looks = 24
	for name, c := range map[string]struct {
		lag  func(look int) int64
		most int
	}{
		"lag that stays":          {func(look int) int64 { return int64(1000 + look) }, 9},
		"lag that comes and goes": {func(look int) int64 { return int64(look % 2 * (look + 1)) }, 12},
	} {
		t.Run(name, func(t *testing.T) {
			var p pace
			var stored v1alpha1.RatingIngestorStatus
			writes, now := 0, time.Unix(1_000_000, 0)
			for look := range looks {
				at := metav1.NewTime(now)
				status := v1alpha1.RatingIngestorStatus{Lag: c.lag(look), ProducedPerSecond: fmt.Sprint(100 + look), ConsumedPerSecond: fmt.Sprint(99 + look), LastCommit: &at}
				if p.due(stored, status, now, true) {
					stored, p.written = status, now
					writes++
				}
				now = now.Add(lookEvery)
			}
			if writes > c.most {
				t.Errorf("%d writes for %d looks, want at most %d", writes, looks, c.most)
			}
		})
	}
}

func TestDue(t *testing.T) {
	stored := v1alpha1.RatingIngestorStatus{Lag: 7, ProducedPerSecond: "10", ConsumedPerSecond: "0", Ready: "1/1"}
	for name, c := range map[string]struct {
		change func(*v1alpha1.RatingIngestorStatus)
		after  time.Duration // of the last write
		seen   func(*v1alpha1.RatingIngestorStatus)
		want   bool
	}{
		"nothing":                   {after: time.Hour},
		"another lag":               {change: func(s *v1alpha1.RatingIngestorStatus) { s.Lag = 8 }},
		"another lag for long":      {change: func(s *v1alpha1.RatingIngestorStatus) { s.Lag = 8 }, after: numbersEvery, want: true},
		"no lag":                    {change: func(s *v1alpha1.RatingIngestorStatus) { s.Lag = 0 }},
		"no lag, as a look before":  {change: func(s *v1alpha1.RatingIngestorStatus) { s.Lag = 0 }, seen: func(s *v1alpha1.RatingIngestorStatus) { s.Lag = 0 }, want: true},
		"a rate that was none":      {change: func(s *v1alpha1.RatingIngestorStatus) { s.ConsumedPerSecond = "0.5" }, want: true},
		"a partition that is stuck": {change: func(s *v1alpha1.RatingIngestorStatus) { s.StuckPartitions = []int32{3} }, want: true},
		"pods":                      {change: func(s *v1alpha1.RatingIngestorStatus) { s.Ready = "0/1" }, want: true},
		"a condition": {change: func(s *v1alpha1.RatingIngestorStatus) {
			s.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionKafkaReady}}
		}, want: true},
	} {
		t.Run(name, func(t *testing.T) {
			status, before := *stored.DeepCopy(), *stored.DeepCopy()
			if c.change != nil {
				c.change(&status)
			}
			if c.seen != nil {
				c.seen(&before)
			}
			now := time.Unix(1_000_000, 0)
			p := pace{written: now.Add(-c.after), seen: signsOf(before)}
			if got := p.due(stored, status, now, true); got != c.want {
				t.Errorf("due() = %v, want %v", got, c.want)
			}
		})
	}
}
