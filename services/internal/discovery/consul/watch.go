package consul

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/hashicorp/consul/api"

	"movieexample.com/fleet/services/internal/discovery"
)

const (
	longPoll = 55 * time.Second
	// Consul answers a long poll up to a sixteenth late, on purpose; past this the connection is dead.
	pollTimeout = longPoll + longPoll/16 + 5*time.Second
	// Changes in a row are read together: it bounds the load, far below the second in which a switch must arrive.
	pollGap  = 50 * time.Millisecond
	retryMin = 250 * time.Millisecond
	retryMax = 2 * time.Second
)

// Watch implements [discovery.Watcher] by three blocking queries: the healthy instances, the service-resolver that names
// the subset, and the service-splitter that gives shares to subsets.
func (r *Registry) Watch(ctx context.Context, service string, update func(discovery.Snapshot, error)) {
	v := &view{service: service, update: update}
	var wait sync.WaitGroup
	wait.Go(func() {
		poll(ctx, r.reads, func(c *api.Client, q *api.QueryOptions) ([]*api.ServiceEntry, *api.QueryMeta, error) {
			return c.Health().Service(service, "", true, q)
		}, v.setInstances)
	})
	wait.Go(func() { poll(ctx, r.reads, askResolvers, v.setResolver) })
	wait.Go(func() { poll(ctx, r.reads, askSplitters, v.setSplitter) })
	wait.Wait()
}

// answer is a list of config entries as of an index. It is the list and not the single entry: Consul blocks on an entry
// that is not there, but its answer then is an error without an index, on which nobody can block.
type answer struct {
	entries []api.ConfigEntry
	index   uint64
}

func askResolvers(c *api.Client, q *api.QueryOptions) (answer, *api.QueryMeta, error) {
	entries, meta, err := c.ConfigEntries().List(api.ServiceResolver, q)
	if err != nil {
		return answer{}, nil, err
	}
	return answer{entries, meta.LastIndex}, meta, nil
}

// routes are splitters, and resolvers that are not older.
type routes struct {
	splitters []api.ConfigEntry
	resolvers answer
}

// askSplitters reads the resolvers too, afterwards: who ends a split has first made its winner the default, and a caller
// that heard of the end alone would send the calls back to the revision before.
func askSplitters(c *api.Client, q *api.QueryOptions) (routes, *api.QueryMeta, error) {
	splitters, meta, err := c.ConfigEntries().List(api.ServiceSplitter, q)
	if err != nil {
		return routes{}, nil, err
	}
	resolvers, _, err := askResolvers(c, (&api.QueryOptions{}).WithContext(q.Context()))
	return routes{splitters, resolvers}, meta, err
}

type query[T any] func(*api.Client, *api.QueryOptions) (T, *api.QueryMeta, error)

// poll asks again and again, each time blocking until there is something new.
func poll[T any](ctx context.Context, a *agent, ask query[T], deliver func(T, error)) {
	index, failures := uint64(0), 0
	for ctx.Err() == nil {
		answer, last, err := once(ctx, a, ask, index)
		if ctx.Err() != nil {
			return
		}
		deliver(answer, err)
		if err != nil {
			// From the start after an error: the agent that comes back may count from there too.
			index = 0
			failures++
			pause(ctx, backoff(failures))
			continue
		}
		index, failures = advance(index, last), 0
		pause(ctx, pollGap)
	}
}

func once[T any](ctx context.Context, a *agent, ask query[T], index uint64) (answer T, last uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, pollTimeout)
	defer cancel()
	err = a.use(ctx, func(c *api.Client) error {
		q := (&api.QueryOptions{WaitIndex: index, WaitTime: longPoll}).WithContext(ctx)
		var meta *api.QueryMeta
		answer, meta, err = ask(c, q)
		if err == nil {
			last = meta.LastIndex
		}
		return err
	})
	return answer, last, err
}

// advance is the index to wait on: one that went back starts over, and never 0, which would not block.
// https://developer.hashicorp.com/consul/api-docs/features/blocking#implementation-details
func advance(index, last uint64) uint64 {
	if last < index {
		return 0
	}
	return max(last, 1)
}

func backoff(failures int) time.Duration {
	wait := min(retryMin<<min(failures-1, 10), retryMax)
	return time.Duration(float64(wait) * (0.8 + 0.4*rand.Float64())) //nolint:gosec // jitter
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
