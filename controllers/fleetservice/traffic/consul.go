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

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/fleetservice/revision"
	"movieexample.com/fleet/controllers/internal/bindings"
)

// timeout bounds each request to Consul, so that an agent that hangs never holds up a reconcile for long.
const timeout = 3 * time.Second

// Consul splits calls by config entries: service-defaults (protocol grpc), a service-resolver with a subset for each live
// revision, and a service-splitter with the shares. Entries are written by check-and-set.
type Consul struct {
	mu      sync.Mutex
	clients map[bindings.Consul]*api.Client
}

var _ Provider = (*Consul)(nil)

// NewConsul returns a provider without connections; they are made on first use, one for each agent.
func NewConsul() *Consul {
	return &Consul{clients: map[bindings.Consul]*api.Client{}}
}

// Name implements [Provider].
func (c *Consul) Name() string { return "Consul" }

var errNoAgent = errors.New("the Secret with Consul's address cannot be read")

// Follows implements [Provider].
func (c *Consul) Follows(ctx context.Context, t Target, split Split) (bool, error) {
	if t.Consul == nil {
		return false, errNoAgent
	}
	have, err := c.look(ctx, *t.Consul, revision.ConsulName(t.Service))
	if err != nil {
		return false, err
	}
	return have.resolver != nil && have.splitter != nil && have.resolver.DefaultSubset == split.Main && sameSplits(have.splitter.Splits, splits(split)), nil
}

// Move implements [Provider]. The resolver comes first and keeps every subset that the splitter still names, so that at no
// moment a caller is sent to a subset that does not exist; until the splitter is written callers go where they went. The
// splitter is there without a canary too: it alone says where requests go. A lost race is an error: the next reconcile
// looks anew.
func (c *Consul) Move(ctx context.Context, t Target, split Split) error {
	if t.Consul == nil {
		return errNoAgent
	}
	name, owner := revision.ConsulName(t.Service), ownerName(t.Service)
	have, err := c.look(ctx, *t.Consul, name)
	if err != nil {
		return err
	}
	if other := have.owner(); other != "" && other != owner {
		return &NameTaken{Service: name, Owner: other}
	}
	if err := c.ensureDefaults(ctx, *t.Consul, name); err != nil {
		return err
	}
	resolver := resolverFor(name, owner, split, have.splitter)
	if have.resolver == nil || !same(have.resolver, resolver) {
		if err := c.write(ctx, *t.Consul, resolver, have.resolverIndex()); err != nil {
			return err
		}
	}
	if have.splitter != nil && sameSplits(have.splitter.Splits, splits(split)) {
		return nil
	}
	splitter := &api.ServiceSplitterConfigEntry{Kind: api.ServiceSplitter, Name: name, Splits: splits(split), Meta: metaFor(owner)}
	return c.write(ctx, *t.Consul, splitter, have.splitterIndex())
}

// Remove implements [Provider]: the splitter first, since it names the resolver's subsets.
func (c *Consul) Remove(ctx context.Context, t Target) error {
	if t.Consul == nil {
		return errNoAgent
	}
	name := revision.ConsulName(t.Service)
	have, err := c.look(ctx, *t.Consul, name)
	if err != nil {
		return err
	}
	if other := have.owner(); other != "" && other != ownerName(t.Service) {
		return nil
	}
	client, err := c.client(*t.Consul)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for _, kind := range []string{api.ServiceSplitter, api.ServiceResolver, api.ServiceDefaults} {
		if _, err := client.ConfigEntries().Delete(kind, name, (&api.WriteOptions{}).WithContext(ctx)); err != nil {
			return failed(*t.Consul, "delete", kind, name, err)
		}
	}
	return nil
}

// entries are what Consul holds of a service; nil where there is none.
type entries struct {
	resolver *api.ServiceResolverConfigEntry
	splitter *api.ServiceSplitterConfigEntry
}

func (e entries) owner() string {
	if e.resolver == nil {
		return ""
	}
	return e.resolver.Meta[metaOwner]
}

// The index is 0 where there is no entry: then writing creates it, unless somebody was faster.
func (e entries) resolverIndex() uint64 {
	if e.resolver == nil {
		return 0
	}
	return e.resolver.ModifyIndex
}

func (e entries) splitterIndex() uint64 {
	if e.splitter == nil {
		return 0
	}
	return e.splitter.ModifyIndex
}

func (c *Consul) look(ctx context.Context, agent bindings.Consul, name string) (entries, error) {
	var e entries
	resolver, err := c.read(ctx, agent, api.ServiceResolver, name)
	if err != nil {
		return e, err
	}
	splitter, err := c.read(ctx, agent, api.ServiceSplitter, name)
	if err != nil {
		return e, err
	}
	e.resolver, _ = resolver.(*api.ServiceResolverConfigEntry)
	e.splitter, _ = splitter.(*api.ServiceSplitterConfigEntry)
	return e, nil
}

// splits are the shares, the main revision first.
func splits(split Split) []api.ServiceSplit {
	list := []api.ServiceSplit{{Weight: float32(100 - split.Percent), ServiceSubset: split.Main}}
	if split.Other != "" && split.Percent > 0 {
		return append(list, api.ServiceSplit{Weight: float32(split.Percent), ServiceSubset: split.Other})
	}
	list[0].Weight = 100
	return list
}

func sameSplits(have, want []api.ServiceSplit) bool {
	return slices.EqualFunc(have, want, func(a, b api.ServiceSplit) bool {
		return a.Weight == b.Weight && a.ServiceSubset == b.ServiceSubset && a.Service == "" && a.Namespace == "" && a.Partition == ""
	})
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

func metaFor(owner string) map[string]string {
	return map[string]string{"managed-by": "movie-fleet", metaOwner: owner}
}

// ownerName is how a service's entries name their owner.
func ownerName(fs *v1alpha1.FleetService) string { return fs.Namespace + "/" + fs.Name }

// resolverFor has a subset for each live revision, and for each that the present splitter still names.
func resolverFor(name, owner string, split Split, splitter *api.ServiceSplitterConfigEntry) *api.ServiceResolverConfigEntry {
	live := slices.Concat(split.Live, []string{split.Main, split.Other})
	if splitter != nil {
		for _, s := range splitter.Splits {
			live = append(live, s.ServiceSubset)
		}
	}
	subsets := map[string]api.ServiceResolverSubset{}
	for _, hash := range live {
		if hash != "" {
			subsets[hash] = api.ServiceResolverSubset{Filter: fmt.Sprintf("Service.Meta.revision == %q", hash), OnlyPassing: true}
		}
	}
	return &api.ServiceResolverConfigEntry{Kind: api.ServiceResolver, Name: name, DefaultSubset: split.Main, Subsets: subsets, Meta: metaFor(owner)}
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
