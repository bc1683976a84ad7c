package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"movieexample.com/fleet/services/internal/broker"
	"movieexample.com/fleet/services/internal/problem"
	"movieexample.com/fleet/services/internal/telemetry"
)

// tellEvery bounds log lines while the same trouble lasts.
const tellEvery = time.Minute

// brokerError is what a broker said to a request, with what the binding's user needs for it.
type brokerError struct {
	what string // what was tried
	need string // which right on what, as kafka-acls has it
	err  error
}

func (e *brokerError) Error() string { return e.what + ": " + e.err.Error() }

func (e *brokerError) Unwrap() error { return e.err }

// advice is what a person can do.
func advice(err error) string {
	if swollen, ok := errors.AsType[*swollenError](err); ok {
		return swollen.advice()
	}
	refused, ok := errors.AsType[*brokerError](err)
	if !ok && problem.KindOf(err) == problem.Unavailable {
		return "the database of the binding mysql must be reachable from here, up to date, and have room; nothing is lost meanwhile"
	}
	if !ok {
		return "it is tried again; nothing is lost meanwhile"
	}
	reason := broker.Reason(err)
	switch {
	case reason == broker.ReasonDenied:
		return fmt.Sprintf("grant the user of the binding kafka %s (kafka-acls --add)", refused.need)
	case errors.Is(err, kerr.UnsupportedVersion), errors.Is(err, kerr.InvalidSessionTimeout):
		return "the brokers do not take what ingest.protocol and ingest.sessionTimeout say: change them"
	}
	return broker.Advice(reason)
}

// trouble tells of what keeps events from being consumed: each thing once when it begins, and then now and again.
type trouble struct {
	log  *slog.Logger
	now  func() time.Time
	away *away

	mu   sync.Mutex
	told map[string]told // by what; there is a fixed number of sentences for each partition
	last string
}

type told struct {
	advice string
	at     time.Time
}

func newTrouble(log *slog.Logger, now func() time.Time) *trouble {
	return &trouble{log: log, now: now, away: newAway(now), told: map[string]told{}}
}

func (t *trouble) tell(ctx context.Context, what string, err error) {
	if err == nil || errors.Is(err, context.Canceled) {
		return
	}
	t.away.note(err)
	advice := advice(err)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = what + ": " + advice
	if before := t.told[what]; before.advice == advice && t.now().Sub(before.at) < tellEvery {
		return
	}
	t.told[what] = told{advice, t.now()}
	t.log.WarnContext(ctx, what, "advice", advice, telemetry.KeyError, err)
}

func (t *trouble) latest() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.last
}
