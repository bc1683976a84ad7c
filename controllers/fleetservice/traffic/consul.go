package traffic

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/hashicorp/consul/api"
)

// timeout bounds all that one method asks of Consul, so that an agent that hangs never holds up a reconcile for long. What
// was written until then counts: the next try goes on from there.
const timeout = 3 * time.Second

// Consul splits calls by config entries: service-defaults (protocol grpc), a service-resolver with a subset for each live
// revision, and a service-splitter with the shares. Entries are written by check-and-set and name their owner.
type Consul struct {
	mu      sync.Mutex
	clients map[string]*http.Client // by the authorities that agents' certificates come from
}

var _ Provider = (*Consul)(nil)

// NewConsul returns a provider without connections; they are made on first use and shared by all services.
func NewConsul() *Consul { return &Consul{clients: map[string]*http.Client{}} }

// http is the client for agents of these authorities.
func (c *Consul) http(authorities string) *http.Client {
	c.mu.Lock()
	defer c.mu.Unlock()
	client := c.clients[authorities]
	if client == nil {
		client = newClient(authorities)
		c.clients[authorities] = client
	}
	return client
}

func newClient(authorities string) *http.Client {
	t := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: timeout}).DialContext,
		TLSHandshakeTimeout: timeout,
		TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12},
		MaxIdleConnsPerHost: 8,
		IdleConnTimeout:     90 * time.Second,
	}
	if authorities != "" {
		t.TLSClientConfig.RootCAs = x509.NewCertPool()
		t.TLSClientConfig.RootCAs.AppendCertsFromPEM([]byte(authorities)) // that it holds one was checked with the Secret
	}
	return &http.Client{Transport: t}
}

// Close ends idle connections. No other method may be under way.
func (c *Consul) Close() {
	for _, client := range c.clients {
		client.CloseIdleConnections()
	}
}

// Name implements [Provider].
func (*Consul) Name() string { return "Consul" }

var errNoAgent = errors.New("the Secret with Consul's address cannot be read")

// Follows implements [Provider]. All three entries are read back.
func (c *Consul) Follows(ctx context.Context, t Target, split Split) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	a, err := c.connect(t)
	if err != nil {
		return false, err
	}
	have, err := a.look(ctx, t.name())
	if err != nil {
		return false, err
	}
	return have.follow(split), nil
}

// Move implements [Provider]. At no moment does an entry name a subset that does not exist, nor do requests depend on two
// entries that arrive together:
//   - the resolver comes before the splitter and keeps every subset that the present splitter names; those are dropped
//     by the next Move;
//   - the splitter is there without a canary too, with one split of 100. Without it a caller that hears of its end before
//     it hears of the new default subset would go back to the revision before.
//
// A lost race is an error: the next reconcile looks anew.
func (c *Consul) Move(ctx context.Context, t Target, split Split) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	a, err := c.connect(t)
	if err != nil {
		return err
	}
	name, owner := t.name(), ownerName(t.Service)
	have, err := a.look(ctx, name)
	if err != nil {
		return err
	}
	if other := have.otherOwner(owner); other != "" {
		return &NameTaken{Service: name, Owner: other}
	}
	if want := defaultsFor(name, owner, have.defaults); want != nil {
		if err := a.write(ctx, want, indexOf(have.defaults)); err != nil {
			return err
		}
	}
	if want := resolverFor(name, owner, split, have.splitter); have.resolver == nil || !sameResolver(have.resolver, want) {
		if err := a.write(ctx, want, indexOf(have.resolver)); err != nil {
			return err
		}
	}
	if want := splitterFor(name, owner, split); have.splitter == nil || !sameSplitter(have.splitter, want) {
		return a.write(ctx, want, indexOf(have.splitter))
	}
	return nil
}

// Remove implements [Provider]: the splitter first, since it names the resolver's subsets. Entries of another owner stay,
// and so do those that name none: somebody else made them.
func (c *Consul) Remove(ctx context.Context, t Target) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	a, err := c.connect(t)
	if err != nil {
		return err
	}
	for _, kind := range []string{api.ServiceSplitter, api.ServiceResolver, api.ServiceDefaults} {
		entry, err := a.read(ctx, kind, t.name())
		if err != nil {
			return err
		}
		if entry == nil || entry.GetMeta()[metaOwner] != ownerName(t.Service) {
			continue
		}
		if err := a.remove(ctx, entry); err != nil {
			return err
		}
	}
	return nil
}

// NameTaken is the error for a name in Consul that another resource moves traffic for.
type NameTaken struct {
	Service, Owner string
}

func (e *NameTaken) Error() string {
	return fmt.Sprintf("the name %s in Consul belongs to FleetService %s: give one of the two another spec.consulName "+
		"(if that FleetService is gone for good, delete the config entries service-splitter, service-resolver and service-defaults of that name)",
		e.Service, e.Owner)
}
