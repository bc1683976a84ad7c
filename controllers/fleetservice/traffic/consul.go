package traffic

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/consul/api"

	"movieexample.com/fleet/controllers/internal/bindings"
)

// timeout bounds each request to Consul, so that an agent that hangs never holds up a reconcile for long.
const timeout = 3 * time.Second

// Consul moves traffic by config entries: service-defaults (protocol grpc) and a service-resolver with a subset for
// each live revision, whose default subset is where callers go. Entries are written by check-and-set.
type Consul struct {
	mu      sync.Mutex
	clients map[bindings.Consul]*api.Client
}

// Route is what callers of one service should find.
type Route struct {
	// Service is the name in Consul.
	Service string
	// Owner is namespace/name of the resource that the entries belong to.
	Owner string
	// Default is the revision that callers use.
	Default string
	// Revisions are all live revisions, Default among them.
	Revisions []string
}

// NewConsul returns a provider without connections; they are made on first use, one for each agent.
func NewConsul() *Consul {
	return &Consul{clients: map[bindings.Consul]*api.Client{}}
}

// Observe returns the revision that callers of the service are sent to; empty when nothing was written yet.
// An error means that Consul could not be asked.
func (c *Consul) Observe(ctx context.Context, agent bindings.Consul, service string) (string, error) {
	resolver, err := c.resolver(ctx, agent, service)
	if err != nil || resolver == nil {
		return "", err
	}
	return resolver.DefaultSubset, nil
}

// Move sends callers to route.Default and verifies it. It writes only what differs, and restores what somebody else
// has changed. A lost race is an error: the next reconcile looks anew. Entries of another owner are left alone and are
// the error *NameTaken.
func (c *Consul) Move(ctx context.Context, agent bindings.Consul, route Route) error {
	have, err := c.resolver(ctx, agent, route.Service)
	if err != nil {
		return err
	}
	if owner := ownerOf(have); owner != "" && owner != route.Owner {
		return &NameTaken{Service: route.Service, Owner: owner}
	}
	if err := c.ensureDefaults(ctx, agent, route.Service); err != nil {
		return err
	}
	want := resolverFor(route)
	if have != nil && same(have, want) {
		return nil
	}
	if have != nil {
		want.ModifyIndex = have.ModifyIndex
	}
	if err := c.write(ctx, agent, want, want.ModifyIndex); err != nil {
		return err
	}
	got, err := c.resolver(ctx, agent, route.Service)
	if err != nil {
		return err
	}
	if got == nil || got.DefaultSubset != route.Default {
		return fmt.Errorf("service-resolver %s in Consul does not send callers to %s although it was written: something else writes it too", route.Service, route.Default)
	}
	return nil
}

// NameTaken is the error for a name in Consul that another resource moves traffic for.
type NameTaken struct {
	Service, Owner string
}

func (e *NameTaken) Error() string {
	return fmt.Sprintf("the name %s in Consul belongs to FleetService %s: give one of the two another spec.consulName", e.Service, e.Owner)
}

// metaOwner is the key in an entry's meta that names its owner.
const metaOwner = "owner"

func ownerOf(entry *api.ServiceResolverConfigEntry) string {
	if entry == nil {
		return ""
	}
	return entry.Meta[metaOwner]
}

// Remove deletes the owner's entries of a service; entries that do not exist, or are another owner's, are no error.
func (c *Consul) Remove(ctx context.Context, agent bindings.Consul, service, owner string) error {
	have, err := c.resolver(ctx, agent, service)
	if err != nil {
		return err
	}
	if other := ownerOf(have); other != "" && other != owner {
		return nil
	}
	client, err := c.client(agent)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	options := (&api.WriteOptions{}).WithContext(ctx)
	for _, kind := range []string{api.ServiceResolver, api.ServiceDefaults} {
		if _, err := client.ConfigEntries().Delete(kind, service, options); err != nil {
			return failed(agent, "delete", kind, service, err)
		}
	}
	return nil
}

func resolverFor(route Route) *api.ServiceResolverConfigEntry {
	subsets := map[string]api.ServiceResolverSubset{}
	for _, hash := range route.Revisions {
		subsets[hash] = api.ServiceResolverSubset{Filter: fmt.Sprintf("Service.Meta.revision == %q", hash), OnlyPassing: true}
	}
	return &api.ServiceResolverConfigEntry{
		Kind: api.ServiceResolver, Name: route.Service, DefaultSubset: route.Default, Subsets: subsets,
		Meta: map[string]string{"managed-by": "movie-fleet", metaOwner: route.Owner},
	}
}

func same(have, want *api.ServiceResolverConfigEntry) bool {
	return have.DefaultSubset == want.DefaultSubset && have.Meta[metaOwner] == want.Meta[metaOwner] && maps.Equal(have.Subsets, want.Subsets) && have.Redirect == nil && len(have.Failover) == 0
}

func (c *Consul) ensureDefaults(ctx context.Context, agent bindings.Consul, service string) error {
	entry, err := c.read(ctx, agent, api.ServiceDefaults, service)
	if err != nil {
		return err
	}
	want := &api.ServiceConfigEntry{Kind: api.ServiceDefaults, Name: service, Protocol: "grpc", Meta: map[string]string{"managed-by": "movie-fleet"}}
	have, ok := entry.(*api.ServiceConfigEntry)
	if ok && have.Protocol == want.Protocol {
		return nil
	}
	index := uint64(0)
	if ok {
		index = have.ModifyIndex
	}
	return c.write(ctx, agent, want, index)
}

func (c *Consul) resolver(ctx context.Context, agent bindings.Consul, service string) (*api.ServiceResolverConfigEntry, error) {
	entry, err := c.read(ctx, agent, api.ServiceResolver, service)
	if err != nil || entry == nil {
		return nil, err
	}
	resolver, ok := entry.(*api.ServiceResolverConfigEntry)
	if !ok {
		return nil, fmt.Errorf("consul answered a %T for service-resolver %s", entry, service)
	}
	return resolver, nil
}

// read returns a config entry, or nil when it does not exist.
func (c *Consul) read(ctx context.Context, agent bindings.Consul, kind, name string) (api.ConfigEntry, error) {
	client, err := c.client(agent)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	entry, _, err := client.ConfigEntries().Get(kind, name, (&api.QueryOptions{RequireConsistent: true}).WithContext(ctx))
	var status api.StatusError
	if errors.As(err, &status) && status.Code == http.StatusNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, failed(agent, "read", kind, name, err)
	}
	return entry, nil
}

func (c *Consul) write(ctx context.Context, agent bindings.Consul, entry api.ConfigEntry, index uint64) error {
	client, err := c.client(agent)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	done, _, err := client.ConfigEntries().CAS(entry, index, (&api.WriteOptions{}).WithContext(ctx))
	if err != nil {
		return failed(agent, "write", entry.GetKind(), entry.GetName(), err)
	}
	if !done {
		return fmt.Errorf("%s %s in Consul changed while it was being written; looking again", entry.GetKind(), entry.GetName())
	}
	return nil
}

// client returns the connection to an agent. Tokens of old credentials are dropped when there are many.
func (c *Consul) client(agent bindings.Consul) (*api.Client, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if client, ok := c.clients[agent]; ok {
		return client, nil
	}
	config := api.DefaultNonPooledConfig()
	config.Address, config.Scheme, config.Token = agent.Address(), agent.Scheme, agent.Token
	config.Transport.DisableKeepAlives = false
	config.Transport.MaxIdleConnsPerHost = 4
	client, err := api.NewClient(config)
	if err != nil {
		return nil, fmt.Errorf("connect to Consul at %s: %w", config.Address, err)
	}
	if len(c.clients) >= 100 {
		clear(c.clients)
	}
	c.clients[agent] = client
	return client, nil
}

// failed says where Consul was looked for, since the address comes from a Secret and may be wrong, and what to mend where
// that is known. The same trouble gives the same words each time: they stand in status.
func failed(agent bindings.Consul, verb, kind, name string, err error) error {
	var status api.StatusError
	var op *net.OpError
	switch {
	case errors.As(err, &status) && status.Code == http.StatusForbidden:
		return fmt.Errorf("consul at %s: %s %s %s: %w: correct the key \"token\" of the Secret; it needs service:write on %q", agent, verb, kind, name, err, name)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("consul at %s: %s %s %s: no answer in %s: %w", agent, verb, kind, name, timeout, context.DeadlineExceeded)
	case errors.As(err, &op): // without the local port, which differs each time
		return fmt.Errorf("consul at %s: %s %s %s: %s: %w", agent, verb, kind, name, op.Op, op.Err)
	}
	return fmt.Errorf("consul at %s: %s %s %s: %w", agent, verb, kind, name, err)
}

// Revisions returns the live revisions in a stable order, without empty ones.
func Revisions(hashes ...string) []string {
	slices.Sort(hashes)
	hashes = slices.Compact(hashes)
	return slices.DeleteFunc(hashes, func(h string) bool { return h == "" })
}
