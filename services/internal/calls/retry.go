package calls

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

const (
	firstWait = 25 * time.Millisecond // before the second attempt; it doubles
	jitter    = 0.2                   // of each wait, up or down, so that callers do not come back all at once
	// The throttle is gRPC's own (gRFC A6): a failed attempt costs a token, a good one gives a part of one, and below half
	// of them nothing is tried again. So up to one failure in six is repeated for as long as it takes, which a bad canary
	// with a tenth of the calls stays below, and a service that fails more gets no more calls for it.
	mostTokens = 100
	tokenRatio = 0.2
)

// Retry makes a call again that found its instance away or too busy, up to so many attempts in all, if its method may be
// repeated. Only the caller nearest the user should: layers of retries multiply.
//
// It is not gRPC's own retry policy, which makes no second attempt once an answer has a header, as all of the fleet's
// have, and knows no RetryInfo.
func Retry(next grpc.ClientConnInterface, attempts int) grpc.ClientConnInterface {
	return &retried{ClientConnInterface: next, attempts: attempts, methods: &methods{}, throttle: throttle{tokens: mostTokens}}
}

type retried struct {
	grpc.ClientConnInterface

	attempts int
	methods  *methods
	throttle throttle
}

// Invoke makes one call, by one attempt or more.
func (r *retried) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	if !r.methods.repeatable(method) {
		return r.ClientConnInterface.Invoke(ctx, method, args, reply, opts...)
	}
	for attempt := 1; ; attempt++ {
		var trailer metadata.MD
		err := r.ClientConnInterface.Invoke(ctx, method, args, reply, append(slices.Clip(opts), grpc.Trailer(&trailer))...)
		wait, again := waitAfter(err, attempt)
		if !r.throttle.allows(again) || !again || settled(trailer) || attempt >= r.attempts || !sleep(ctx, wait) {
			return err
		}
	}
}

// pushback is gRPC's own trailer (gRFC A6) by which a server tells callers when to come back; below 0 is not at all.
const pushback = "grpc-retry-pushback-ms"

// Settle tells the caller of this failure that no other attempt would end better: what the server needs is away.
func Settle(ctx context.Context) {
	_ = grpc.SetTrailer(ctx, metadata.Pairs(pushback, "-1")) // fails outside of a call only, where nobody would repeat it
}

func settled(trailer metadata.MD) bool {
	values := trailer.Get(pushback)
	return len(values) > 0 && strings.HasPrefix(values[0], "-")
}

// waitAfter says whether an attempt that ended like that may be repeated, and when. DEADLINE_EXCEEDED may not: there is
// no time left. A server that is too busy must say when to come back.
func waitAfter(err error, attempt int) (time.Duration, bool) {
	if err == nil {
		return 0, false
	}
	s := status.Convert(err)
	hint, hinted := retryInfo(s)
	switch {
	case s.Code() == codes.Unavailable && !hinted:
		return spread(firstWait<<(attempt-1), 1-jitter), true
	case s.Code() == codes.Unavailable, s.Code() == codes.ResourceExhausted && hinted:
		return spread(hint, 1), true // never before the time it gave
	}
	return 0, false
}

func retryInfo(s *status.Status) (time.Duration, bool) {
	for _, detail := range s.Details() {
		if info, ok := detail.(*errdetails.RetryInfo); ok {
			return info.GetRetryDelay().AsDuration(), true
		}
	}
	return 0, false
}

// spread draws a wait between the lowest part of d and a jitter above it.
func spread(d time.Duration, lowest float64) time.Duration {
	return time.Duration(float64(d) * (lowest + rand.Float64()*(1+jitter-lowest))) //nolint:gosec // no secret
}

// sleep waits, unless the call's time would be up by then: its caller better learns at once.
func sleep(ctx context.Context, d time.Duration) bool {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= d {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

type throttle struct {
	mu     sync.Mutex
	tokens float64
}

// allows counts an attempt, and tells whether there may be more.
func (t *throttle) allows(failed bool) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if failed {
		t.tokens = max(0, t.tokens-1)
	} else {
		t.tokens = min(mostTokens, t.tokens+tokenRatio)
	}
	return t.tokens > mostTokens/2
}
