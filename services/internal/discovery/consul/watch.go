package consul

import (
	"cmp"
	"context"
	"math/rand/v2"
	"slices"
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

// Watch implements [discovery.Watcher] by two blocking queries: the healthy instances, and the service-resolver that
// names the subset.
func (r *Registry) Watch(ctx context.Context, service string, update func(discovery.Snapshot, error)) {
	v := &view{update: update}
	var wait sync.WaitGroup
	wait.Go(func() {
		poll(ctx, r.reads, func(c *api.Client, q *api.QueryOptions) ([]*api.ServiceEntry, *api.QueryMeta, error) {
			return c.Health().Service(service, "", true, q)
		}, v.instances)
	})
	wait.Go(func() {
		// The list and not the single entry: Consul blocks on an entry that is not there, but its answer then is an
		// error without an index, on which nobody can block.
		poll(ctx, r.reads, func(c *api.Client, q *api.QueryOptions) ([]api.ConfigEntry, *api.QueryMeta, error) {
			return c.ConfigEntries().List(api.ServiceResolver, q)
		}, func(entries []api.ConfigEntry, err error) { v.subset(service, entries, err) })
	})
	wait.Wait()
}

// view joins both answers; nobody hears of it before both are there.
type view struct {
	update func(discovery.Snapshot, error)

	mu       sync.Mutex
	snapshot discovery.Snapshot
	have     [2]bool
	told     bool
}

func (v *view) instances(entries []*api.ServiceEntry, err error) {
	v.change(0, err, func() {
		v.snapshot.Instances = make([]discovery.Instance, 0, len(entries))
		for _, e := range entries {
			v.snapshot.Instances = append(v.snapshot.Instances, instance(e))
		}
	})
}

func instance(e *api.ServiceEntry) discovery.Instance {
	return discovery.Instance{
		ID:        e.Service.ID,
		Host:      cmp.Or(e.Service.Address, e.Node.Address),
		Port:      e.Service.Port,
		Revision:  e.Service.Meta[metaRevision],
		PodUID:    e.Service.Meta[metaPodUID],
		Namespace: e.Service.Meta[metaNamespace],
		App:       e.Service.Meta[metaApp],
	}
}

func (v *view) subset(service string, entries []api.ConfigEntry, err error) {
	v.change(1, err, func() {
		v.snapshot.Subset = ""
		for _, e := range entries {
			if resolver, ok := e.(*api.ServiceResolverConfigEntry); ok && resolver.Name == service {
				v.snapshot.Subset = resolver.DefaultSubset
			}
		}
	})
}

func (v *view) change(half int, err error, apply func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if err != nil {
		v.told = false
		v.update(discovery.Snapshot{}, err)
		return
	}
	before := v.snapshot
	apply()
	v.have[half] = true
	if !v.have[0] || !v.have[1] {
		return
	}
	// Consul wakes a long poll for other services' changes too.
	if v.told && before.Subset == v.snapshot.Subset && slices.Equal(before.Instances, v.snapshot.Instances) {
		return
	}
	v.told = true
	v.update(v.snapshot, nil)
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
