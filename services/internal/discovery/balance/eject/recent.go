package eject

import "time"

const (
	buckets    = 10
	bucketLong = time.Second
)

// tally counts calls.
type tally struct{ calls, bad int }

func (t tally) plus(o tally) tally { return tally{t.calls + o.calls, t.bad + o.bad} }

func (t tally) share() float64 {
	if t.calls == 0 {
		return 0
	}
	return float64(t.bad) / float64(t.calls)
}

// recent counts the calls of the last ten seconds.
type recent struct {
	counts [buckets]tally
	last   int64 // the bucket written last, in bucketLong since 1970
}

func (r *recent) add(now time.Time, bad bool) {
	at := r.forward(now)
	r.counts[at].calls++
	if bad {
		r.counts[at].bad++
	}
}

func (r *recent) sum(now time.Time) tally {
	r.forward(now)
	var t tally
	for _, c := range r.counts {
		t = t.plus(c)
	}
	return t
}

// forward empties the buckets that time has passed since the last look, and returns the present one.
func (r *recent) forward(now time.Time) int64 {
	at := now.UnixNano() / int64(bucketLong)
	for past := max(r.last+1, at-buckets+1); past <= at; past++ {
		r.counts[past%buckets] = tally{}
	}
	r.last = max(r.last, at)
	return r.last % buckets
}
