package limits

import (
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"
)

// mostBuckets bounds memory, at about 200 bytes each. Beyond it the bucket that rested longest is forgotten, and with it
// only that its caller had called: it starts with a full one again.
const mostBuckets = 10_000

// buckets holds a token bucket for each caller of each method.
type buckets struct {
	limit rate.Limit
	burst int
	held  *lru.Cache[bucketKey, *rate.Limiter]
}

type bucketKey struct{ method, caller string }

// newBuckets is nil without a limit.
func newBuckets(perSecond, burst int) (*buckets, error) {
	if perSecond <= 0 {
		return nil, nil //nolint:nilnil // no limit is no error
	}
	held, err := lru.New[bucketKey, *rate.Limiter](mostBuckets)
	if err != nil {
		return nil, err
	}
	return &buckets{limit: rate.Limit(perSecond), burst: burst, held: held}, nil
}

// take takes a token, or says how long there will be none.
func (b *buckets) take(method, caller string) time.Duration {
	key := bucketKey{method, caller}
	bucket, ok := b.held.Get(key)
	if !ok {
		bucket = rate.NewLimiter(b.limit, b.burst)
		if other, there, _ := b.held.PeekOrAdd(key, bucket); there {
			bucket = other // a call at the same time made it
		}
	}
	r := bucket.Reserve()
	wait := r.Delay()
	if wait > 0 {
		r.Cancel() // it does not wait, so it must not take a place in the queue
	}
	return wait
}
