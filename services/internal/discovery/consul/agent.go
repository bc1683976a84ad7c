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

// ReadBinding says how to reach Consul. It is asked again after every failure, so that a changed token or address is
// picked up without a restart.
type ReadBinding func() (binding.Consul, error)

// agent is the connection to one Consul agent. A host name may stand for several agents, and a registration lives at the
// one that took it, so the address is looked up once and kept until it fails.
type agent struct {
	read ReadBinding

	mu        sync.Mutex
	client    *api.Client
	transport *http.Transport
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
	if a.client != nil {
		return a.client, nil
	}
	b, err := a.read()
	if err != nil {
		return nil, err
	}
	address, err := pin(ctx, b)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{
		DialContext:         (&net.Dialer{Timeout: 2 * time.Second, KeepAlive: 10 * time.Second}).DialContext,
		MaxIdleConnsPerHost: 4,
		IdleConnTimeout:     90 * time.Second,
		TLSHandshakeTimeout: 5 * time.Second,
	}
	client, err := api.NewClient(&api.Config{
		Address: address, Scheme: b.Scheme, Token: b.Token, Transport: transport,
		TLSConfig: api.TLSConfig{Address: b.Host},
	})
	if err != nil {
		return nil, fmt.Errorf("consul at %s: %w", b, err)
	}
	a.client, a.transport = client, transport
	return client, nil
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
		a.transport.CloseIdleConnections()
		a.client, a.transport = nil, nil
	}
}

func (a *agent) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.client != nil {
		a.transport.CloseIdleConnections()
		a.client, a.transport = nil, nil
	}
}

// forgotten tells whether the agent answered that it does not know the instance or its check.
func forgotten(err error) bool {
	var status api.StatusError
	return errors.As(err, &status) && status.Code == http.StatusNotFound
}
