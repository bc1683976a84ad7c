package ratingingestor

import (
	"time"

	"k8s.io/apimachinery/pkg/api/equality"

	"movieexample.com/fleet/api/v1alpha1"
)

// numbersEvery is how often numbers alone are written to status: under traffic each look finds others, and each write goes to
// all who watch. Metrics have those of each look.
const numbersEvery = 15 * time.Second

// pace remembers what it takes to decide whether a status is worth a write. The zero value has seen none.
type pace struct {
	written time.Time
	seen    signs // at the look before
}

// signs say which numbers are not zero.
type signs struct{ lag, produced, consumed, each, commit bool }

func signsOf(s v1alpha1.RatingIngestorStatus) signs {
	some := func(rate string) bool { return rate != "" && rate != "0" }
	return signs{s.Lag > 0, some(s.ProducedPerSecond), some(s.ConsumedPerSecond), some(s.PerConsumer), s.LastCommit != nil}
}

// beyond is true where a number is zero in the other, and not here.
func (s signs) beyond(o signs) bool {
	return s.lag && !o.lag || s.produced && !o.produced || s.consumed && !o.consumed || s.each && !o.each || s.commit && !o.commit
}

// due says whether to write the status after, where before is stored. Whatever is no number is written at once, and so is one
// that is not zero any more. One that has become zero is when the next look finds the same: under traffic that is taken at
// once lag is zero every now and then.
func (p *pace) due(before, after v1alpha1.RatingIngestorStatus, now time.Time, looked bool) bool {
	was, is, seen := signsOf(before), signsOf(after), p.seen
	if looked {
		p.seen = is
	}
	calm := after
	calm.Lag, calm.LastCommit = before.Lag, before.LastCommit
	calm.ProducedPerSecond, calm.ConsumedPerSecond, calm.PerConsumer = before.ProducedPerSecond, before.ConsumedPerSecond, before.PerConsumer
	switch {
	case equality.Semantic.DeepEqual(before, after):
		return false
	case !equality.Semantic.DeepEqual(before, calm), now.Sub(p.written) >= numbersEvery, is.beyond(was):
		return true
	}
	return looked && was.beyond(is) && seen == is
}
