package auth

import (
	"context"
	"crypto/ed25519"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"movieexample.com/fleet/services/internal/problem"
	"movieexample.com/fleet/services/internal/telemetry"
)

const (
	// fetchEvery is how old keys may get while auth answers: a key that is published is known everywhere after it.
	fetchEvery = 5 * time.Minute
	// keysExpire is how long keys are believed while auth does not answer. Tokens live a quarter of it, so an outage of
	// auth itself is felt by those who need a new token, long before this is.
	keysExpire = time.Hour
	// askEvery bounds what unknown key ids can make of auth: they come from anybody.
	askEvery     = 5 * time.Second
	retryFirst   = time.Second
	retryLongest = 30 * time.Second
)

// KeySet holds the keys that auth publishes as a JSON Web Key Set. Run keeps them fresh; an id that is not among them is
// asked for at once, at most once in five seconds.
type KeySet struct {
	source  *source
	log     *slog.Logger
	now     func() time.Time
	fetches *prometheus.CounterVec

	wanted chan struct{} // wakes Run

	mu      sync.Mutex
	keys    map[string]ed25519.PublicKey
	fetched time.Time     // the last success; zero before the first
	problem error         // of the last fetch
	next    chan struct{} // closed when the next fetch to begin has ended
	asked   time.Time     // when somebody last wanted an unknown id
	pending chan struct{} // the fetch that was asked for then, until it has ended
}

// NewKeySet fetches from url, http or https, once Run runs. The client's transport decides whom to trust there.
func NewKeySet(url string, transport http.RoundTripper, now func() time.Time, log *slog.Logger, metrics prometheus.Registerer) *KeySet {
	k := &KeySet{
		source: newSource(url, transport), log: log.With(telemetry.KeyComponent, "keys"), now: now, fetches: newFetches(),
		wanted: make(chan struct{}, 1), next: make(chan struct{}),
	}
	metrics.MustRegister(k.fetches)
	return k
}

// Run keeps the keys fresh until the context ends.
func (k *KeySet) Run(ctx context.Context) error {
	defer k.source.close()
	failures := 0
	for {
		if k.fetch(ctx) == nil {
			failures = 0
		} else {
			failures++
		}
		timer := time.NewTimer(pause(failures))
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		case <-k.wanted:
			timer.Stop()
		}
	}
}

// pause is until the next fetch, spread by a fifth so that the fleet's do not fall together.
func pause(failures int) time.Duration {
	wait := fetchEvery
	if failures > 0 {
		wait = min(retryFirst<<min(failures-1, 5), retryLongest)
	}
	return wait - wait/10 + rand.N(wait/5) //nolint:gosec // spreads load, guards nothing
}

func (k *KeySet) fetch(ctx context.Context) error {
	k.mu.Lock()
	done := k.next
	k.next = make(chan struct{})
	k.mu.Unlock()

	keys, err := k.source.fetch(ctx)
	if ctx.Err() == nil {
		k.tell(err)
	}

	k.mu.Lock()
	defer k.mu.Unlock()
	if k.problem = err; err == nil {
		k.keys, k.fetched = keys, k.now()
	}
	if k.pending == done {
		k.pending = nil
	}
	close(done)
	return err
}

// tell logs a turn, once, however long it lasts.
func (k *KeySet) tell(err error) {
	k.mu.Lock()
	before, first := k.problem, k.fetched.IsZero()
	k.mu.Unlock()
	switch {
	case err != nil:
		k.fetches.WithLabelValues(fetchFailed).Inc()
		if before == nil {
			k.log.Warn("The keys of tokens cannot be fetched; those known are used for an hour, then no write passes", telemetry.KeyError, err)
		}
	default:
		k.fetches.WithLabelValues(fetchDone).Inc()
		if before != nil || first {
			k.log.Info("The keys of tokens are known")
		}
	}
}

// Key is for [Keys]. It waits for auth only when the id is unknown, or nothing has been heard of auth for an hour.
func (k *KeySet) Key(ctx context.Context, id string) (ed25519.PublicKey, error) {
	if key, ok := k.known(id); ok {
		return key, nil
	}
	if asked := k.ask(); asked != nil {
		ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
		defer cancel()
		select {
		case <-asked:
		case <-ctx.Done():
			return nil, keysAway(ctx.Err())
		}
	}
	if key, ok := k.known(id); ok {
		return key, nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.problem != nil || k.expired() {
		return nil, keysAway(k.problem)
	}
	return nil, ErrUnknownKey
}

func keysAway(cause error) error {
	return &refusal{reason: reasonKeysAway, error: problem.NewUnavailable(cause, "tokens cannot be checked now: auth cannot be reached")}
}

func (k *KeySet) known(id string) (ed25519.PublicKey, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.expired() {
		return nil, false
	}
	key, ok := k.keys[id]
	return key, ok
}

// expired holds the lock.
func (k *KeySet) expired() bool { return k.fetched.IsZero() || k.now().Sub(k.fetched) > keysExpire }

// ask has the keys fetched; the channel is closed when that is done. It is nil if they were asked for a moment ago.
func (k *KeySet) ask() <-chan struct{} {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.pending != nil {
		return k.pending
	}
	if k.now().Sub(k.asked) < askEvery {
		return nil
	}
	k.asked, k.pending = k.now(), k.next
	select {
	case k.wanted <- struct{}{}:
	default: // it was woken already
	}
	return k.pending
}
