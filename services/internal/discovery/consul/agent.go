package consul

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/consul/api"

	"movieexample.com/fleet/services/internal/binding"
)

// ReadBinding says how to reach Consul. It is asked before each use, so that a changed token, authority or address is
// picked up without a restart.
type ReadBinding func() (binding.Consul, error)

// agent is the connection to one Consul agent. A host name may stand for several agents, and a registration lives at the
// one that took it, so the address is looked up once and kept until it fails.
type agent struct {
	read ReadBinding

	mu        sync.Mutex
	made      binding.Consul // what the client was made from
	address   string         // pinned
	client    *api.Client
	transport *http.Transport
	retired   []*http.Transport // may still be used by a long poll that began before a change
}

// use runs f with the agent's client. A failure of the connection lets go of the agent: the next use looks for one anew.
func (a *agent) use(ctx context.Context, f func(*api.Client) error) error {
	client, err := a.connect(ctx)
	if err != nil {
		return err
	}
	if err = f(client); err != nil && ctx.Err() == nil && !forgotten(err) {
		a.drop(client)
	}
	return err
}

func (a *agent) connect(ctx context.Context) (*api.Client, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	b, err := a.read()
	if a.client != nil && (err != nil || b == a.made) { // files that are being written change nothing
		return a.client, nil
	}
	if err != nil {
		return nil, err
	}
	if err := a.aim(ctx, b); err != nil {
		return nil, err
	}
	client, err := api.NewClient(&api.Config{Address: a.address, Scheme: b.Scheme, Token: b.Token, Transport: a.transport})
	if err != nil {
		return nil, fmt.Errorf("consul at %s: %w", b, err)
	}
	a.made, a.client = b, client
	return client, nil
}

// tokenOf is the token of the client that use has handed out; "" if there is a newer client meanwhile.
func (a *agent) tokenOf(c *api.Client) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.client != c {
		return ""
	}
	return a.made.Token
}

// aim settles address and transport. A token that changes alone leaves both as they are.
func (a *agent) aim(ctx context.Context, b binding.Consul) error {
	if a.client == nil || a.made.Address() != b.Address() {
		address, err := pin(ctx, b)
		if err != nil {
			return err
		}
		a.address = address
	}
	if a.client == nil || a.made.Host != b.Host || a.made.CA != b.CA {
		a.retire()
		a.transport = newTransport(b)
	}
	return nil
}

func newTransport(b binding.Consul) *http.Transport {
	return &http.Transport{
		DialContext:         (&net.Dialer{Timeout: 2 * time.Second, KeepAlive: 10 * time.Second}).DialContext,
		MaxIdleConnsPerHost: 4,
		IdleConnTimeout:     90 * time.Second,
		TLSHandshakeTimeout: 5 * time.Second,
		TLSClientConfig:     b.CA.TLS(b.Host), // the host's name, while the address is that of one agent behind it
	}
}

// retire lets go of the transport; what still uses it ends by itself.
func (a *agent) retire() {
	if a.transport == nil {
		return
	}
	a.retired = append(a.retired, a.transport)
	for _, t := range a.retired {
		t.CloseIdleConnections()
	}
	// A long poll lasts a minute, and files are not changed that often.
	a.retired = a.retired[max(0, len(a.retired)-4):]
	a.transport = nil
}

// pin chooses one of the addresses behind the host name.
func pin(ctx context.Context, b binding.Consul) (string, error) {
	ips, err := net.DefaultResolver.LookupIPAddr(ctx, b.Host)
	if err != nil {
		return "", fmt.Errorf("looking up Consul's host: %w", err)
	}
	ip := ips[rand.IntN(len(ips))] //nolint:gosec // spreads load, keeps no secret
	return net.JoinHostPort(ip.String(), strconv.Itoa(b.Port)), nil
}

// drop forgets the agent, unless another use has done so already.
func (a *agent) drop(failed *api.Client) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.client == failed {
		a.retire()
		a.client = nil
	}
}

func (a *agent) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.retire()
	a.client = nil
}

// forgotten tells whether the agent answered that it does not know the instance or its check.
func forgotten(err error) bool {
	var status api.StatusError
	return errors.As(err, &status) && status.Code == http.StatusNotFound
}
