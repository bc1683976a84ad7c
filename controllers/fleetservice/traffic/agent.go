package traffic

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"

	"github.com/hashicorp/consul/api"

	"movieexample.com/fleet/controllers/internal/bindings"
)

// agent is a Consul agent that is asked with a service's token.
type agent struct {
	at     bindings.Consul
	client *api.Client
}

func (c *Consul) connect(t Target) (agent, error) {
	if t.Consul == nil {
		return agent{}, errNoAgent
	}
	return c.connectTo(*t.Consul)
}

func (c *Consul) connectTo(at bindings.Consul) (agent, error) {
	client, err := api.NewClient(&api.Config{Address: at.Address(), Scheme: at.Scheme, Token: at.Token, HttpClient: c.http(at.CA)})
	if err != nil {
		return agent{}, fmt.Errorf("connect to consul at %s: %w", at, err)
	}
	return agent{at: at, client: client}, nil
}

// look reads what Consul holds of a service.
func (a agent) look(ctx context.Context, name string) (entries, error) {
	var read [3]api.ConfigEntry
	for i, kind := range []string{api.ServiceDefaults, api.ServiceResolver, api.ServiceSplitter} {
		var err error
		if read[i], err = a.read(ctx, kind, name); err != nil {
			return entries{}, err
		}
	}
	var e entries
	e.defaults, _ = read[0].(*api.ServiceConfigEntry)
	e.resolver, _ = read[1].(*api.ServiceResolverConfigEntry)
	e.splitter, _ = read[2].(*api.ServiceSplitterConfigEntry)
	return e, nil
}

// read returns a config entry, or nil when it does not exist.
func (a agent) read(ctx context.Context, kind, name string) (api.ConfigEntry, error) {
	entry, _, err := a.client.ConfigEntries().Get(kind, name, (&api.QueryOptions{RequireConsistent: true}).WithContext(ctx))
	if unknown(err) {
		return nil, nil
	}
	if err != nil {
		return nil, a.failed("read", kind+" "+name, name, err)
	}
	return entry, nil
}

func (a agent) write(ctx context.Context, entry api.ConfigEntry, index uint64) error {
	done, _, err := a.client.ConfigEntries().CAS(entry, index, (&api.WriteOptions{}).WithContext(ctx))
	return a.settled("write", entry, done, err)
}

func (a agent) remove(ctx context.Context, entry api.ConfigEntry) error {
	done, _, err := a.client.ConfigEntries().DeleteCAS(entry.GetKind(), entry.GetName(), entry.GetModifyIndex(), (&api.WriteOptions{}).WithContext(ctx))
	return a.settled("delete", entry, done, err)
}

func (a agent) settled(verb string, entry api.ConfigEntry, done bool, err error) error {
	what := entry.GetKind() + " " + entry.GetName()
	if err != nil {
		return a.failed(verb, what, entry.GetName(), err)
	}
	if !done {
		return fmt.Errorf("%s in Consul changed while it was being written; looking again", what)
	}
	return nil
}

// unknown is true for an answer that there is no such thing.
func unknown(err error) bool {
	var status api.StatusError
	return errors.As(err, &status) && status.Code == http.StatusNotFound
}

// failed says where Consul was looked for, since the address comes from a Secret and may be wrong, and what to mend where
// that is known. The same trouble gives the same words each time: they stand in status.
func (a agent) failed(verb, what, service string, err error) error {
	var status api.StatusError
	var op *net.OpError
	switch {
	case errors.As(err, &status) && status.Code == http.StatusForbidden:
		return fmt.Errorf("consul at %s: %s %s: %w: correct the key \"token\" of the Secret; it needs service:write on %q", a.at, verb, what, err, service)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("consul at %s: %s %s: no answer in %s: %w", a.at, verb, what, timeout, context.DeadlineExceeded)
	case errors.As(err, &op): // without the local port, which differs each time
		return fmt.Errorf("consul at %s: %s %s: %s: %w", a.at, verb, what, op.Op, op.Err)
	}
	return fmt.Errorf("consul at %s: %s %s: %w", a.at, verb, what, err)
}
