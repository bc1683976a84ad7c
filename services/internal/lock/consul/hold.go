package consul

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/consul/api"

	"movieexample.com/fleet/services/internal/lock"
)

// hold does the work while the session is renewed.
func (l *Locker) hold(ctx context.Context, h *holding, work lock.Work) error {
	ctx, end := context.WithCancelCause(ctx)
	var renewing sync.WaitGroup
	renewing.Go(func() { l.keep(ctx, h, end) })
	defer renewing.Wait()
	defer end(nil)
	err := work(ctx, h.index)
	if lost := context.Cause(ctx); errors.Is(lost, lock.ErrLost) && !errors.Is(err, lock.ErrLost) {
		return errors.Join(lost, err)
	}
	return err
}

// keep renews the session three times in its life until the context ends. It ends the context itself when Consul says
// that the lock is gone, or has said nothing for the life of a session.
func (l *Locker) keep(ctx context.Context, h *holding, end context.CancelCauseFunc) {
	limit := time.Now().Add(l.ttl)
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(min(l.ttl/3, time.Until(limit))):
		}
		asked := time.Now()
		held, err := l.renew(ctx, h, limit)
		switch {
		case err == nil && !held:
			end(fmt.Errorf("%w: Consul has ended the session or given the lock to another", lock.ErrLost))
			return
		case err == nil:
			limit = asked.Add(l.ttl)
		case !time.Now().Before(limit):
			end(fmt.Errorf("%w: it could not be renewed for %s: %w", lock.ErrLost, l.ttl, err))
			return
		}
	}
}

func (l *Locker) renew(ctx context.Context, h *holding, limit time.Time) (held bool, err error) {
	ctx, cancel := context.WithDeadline(ctx, limit)
	defer cancel()
	var entry *api.SessionEntry
	err = l.use(ctx, func(c *api.Client) error {
		entry, _, err = c.Session().Renew(h.session, (&api.WriteOptions{}).WithContext(ctx))
		return err
	})
	if err != nil || entry == nil {
		return false, err
	}
	return l.ours(ctx, h) // an administrator may have removed the key
}
