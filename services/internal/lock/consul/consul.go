package consul

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/consul/api"

	"movieexample.com/fleet/services/internal/lock"
)

const (
	// ttl is the shortest that Consul takes. Consul ends a session that is not renewed after one to two times as long.
	ttl = 10 * time.Second
	// lockDelay keeps a lock free after its holder's session has ended, so that a holder that only lost its connection
	// notices first. It need not cover every holder: results carry the lock's index.
	lockDelay = 5 * time.Second
	// freeTimeout bounds giving a lock back. A lock that is not given back ends with its session.
	freeTimeout = 2 * time.Second
)

// Use calls f with a client of Consul.
type Use func(ctx context.Context, f func(*api.Client) error) error

// Locker keeps its locks in Consul's key-value store, below locks/.
type Locker struct {
	use    Use
	prefix string
	holder string

	ttl, lockDelay time.Duration
}

var _ lock.Locker = (*Locker)(nil)

// New makes the locker of a service: its locks are locks/<service>/<name>. What they hold is the holder's name, for
// people who look.
func New(use Use, service, holder string) *Locker {
	return &Locker{use: use, prefix: "locks/" + service + "/", holder: holder, ttl: ttl, lockDelay: lockDelay}
}

// Do implements [lock.Locker].
func (l *Locker) Do(ctx context.Context, name string, work lock.Work) (bool, error) {
	key := l.prefix + name
	h, err := l.take(ctx, key)
	if err != nil {
		return false, fmt.Errorf("lock %s: %w", key, err)
	}
	if h == nil {
		return false, nil
	}
	defer l.free(ctx, h)
	if err := l.hold(ctx, h, work); err != nil {
		return true, fmt.Errorf("lock %s: %w", key, err)
	}
	return true, nil
}

// holding is a lock that was got.
type holding struct {
	key     string
	session string
	index   uint64
}

// take is nil if the lock is another's.
func (l *Locker) take(ctx context.Context, key string) (*holding, error) {
	ctx, cancel := context.WithTimeout(ctx, l.ttl)
	defer cancel()
	if pair, err := l.read(ctx, key); err != nil || pair != nil && pair.Session != "" {
		return nil, err // whoever waits for a lock writes nothing
	}
	h := &holding{key: key}
	var got bool
	err := l.use(ctx, func(c *api.Client) (err error) {
		options := (&api.WriteOptions{}).WithContext(ctx)
		// Without checks: the session depends on its renewal alone, and not on the one agent that took it.
		h.session, _, err = c.Session().CreateNoChecks(&api.SessionEntry{
			Name: key, TTL: l.ttl.String(), LockDelay: l.lockDelay, Behavior: api.SessionBehaviorRelease,
		}, options)
		if err != nil {
			return err
		}
		got, _, err = c.KV().Acquire(&api.KVPair{Key: key, Value: []byte(l.holder), Session: h.session}, options)
		return err
	})
	if err == nil && got {
		got, err = l.ours(ctx, h)
	}
	if err != nil || !got {
		l.free(ctx, h)
		return nil, err
	}
	return h, nil
}

func (l *Locker) read(ctx context.Context, key string) (pair *api.KVPair, err error) {
	err = l.use(ctx, func(c *api.Client) error {
		pair, _, err = c.KV().Get(key, (&api.QueryOptions{RequireConsistent: true}).WithContext(ctx))
		return err
	})
	return pair, err
}

// ours asks whether the lock is still the one that was got, and learns its index.
func (l *Locker) ours(ctx context.Context, h *holding) (bool, error) {
	pair, err := l.read(ctx, h.key)
	if err != nil || pair == nil || pair.Session != h.session {
		return false, err
	}
	if h.index == 0 {
		h.index = pair.LockIndex
	}
	return pair.LockIndex == h.index, nil
}

// free gives the lock back at once, and its session with it: after the end of a session alone there is a delay.
func (l *Locker) free(ctx context.Context, h *holding) {
	if h.session == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), freeTimeout)
	defer cancel()
	_ = l.use(ctx, func(c *api.Client) error { // the session's end does it later
		options := (&api.WriteOptions{}).WithContext(ctx)
		if _, _, err := c.KV().Release(&api.KVPair{Key: h.key, Session: h.session}, options); err != nil {
			return err
		}
		_, err := c.Session().Destroy(h.session, options)
		return err
	})
}
