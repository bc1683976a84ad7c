package consul

import (
	"context"

	"github.com/hashicorp/consul/api"
)

// WatchKey calls update with the value of a key and whether there is one, at once and whenever it may have changed, or with
// an error while Consul cannot be asked, one call at a time. It returns when the context ends, and update is not called
// afterwards.
func (r *Registry) WatchKey(ctx context.Context, key string, update func(value []byte, found bool, err error)) {
	poll(ctx, r.reads, func(c *api.Client, q *api.QueryOptions) (*api.KVPair, *api.QueryMeta, error) {
		return c.KV().Get(key, q)
	}, func(pair *api.KVPair, err error) {
		if pair == nil {
			update(nil, false, err)
			return
		}
		update(pair.Value, true, err)
	})
}
