package client

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"

	"movieexample.com/fleet/services/internal/binding"
	"movieexample.com/fleet/services/internal/config"
	"movieexample.com/fleet/services/internal/discovery"
	"movieexample.com/fleet/services/internal/discovery/balance"
	"movieexample.com/fleet/services/internal/discovery/consul"
	"movieexample.com/fleet/services/internal/discovery/dns"
	"movieexample.com/fleet/services/internal/rpc"
)

// RevisionHeader is the response header, of gRPC and REST, with the revision that gave the answer.
const RevisionHeader = rpc.RevisionHeader

// Options say where Consul is, for targets consul:///name.
type Options struct {
	// ConsulURL is for example http://127.0.0.1:8500. Empty means the Service Binding consul under $SERVICE_BINDING_ROOT.
	ConsulURL string
	// ConsulToken goes with ConsulURL; empty means anonymous.
	ConsulToken string
	Log         *slog.Logger
	// TLSDir holds tls.crt, tls.key and ca.crt, which are read anew when they change; empty calls without TLS. Server is
	// then the identity that every server called must have.
	TLSDir string
	Server string
	// Metrics gets what the fleet's own callers count, grpc_client_handled_total above all, and what a server
	// shows of its certificate (tls_reloads_total …); nil counts for nobody.
	Metrics prometheus.Registerer
}

// Client holds connections to services. Close it at the end.
type Client struct {
	registry *consul.Registry
	clients  *rpc.Clients
	secure   *secure // nil without TLS
}

// New makes a client. Consul is not asked before a target needs it.
func New(o Options) (*Client, error) {
	read := fromBinding
	if o.ConsulURL != "" {
		b, err := fromURL(o.ConsulURL, o.ConsulToken)
		if err != nil {
			return nil, err
		}
		read = func() (binding.Consul, error) { return b, nil }
	}
	secure, err := newSecure(o)
	if err != nil {
		return nil, err
	}
	registry := consul.New(read)
	metrics := o.Metrics
	if metrics == nil {
		metrics = prometheus.NewRegistry()
	}
	return &Client{
		registry: registry,
		secure:   secure,
		clients: rpc.NewClients(metrics,
			discovery.NewResolver("static", discovery.Static{}, o.Log),
			discovery.NewResolver("dns", dns.Watcher{}, o.Log),
			discovery.NewResolver("consul", registry, o.Log)),
	}, nil
}

func fromBinding() (binding.Consul, error) {
	dir, err := binding.Dir("consul")
	if err != nil {
		return binding.Consul{}, err
	}
	return binding.ReadConsul(dir)
}

func fromURL(text, token string) (binding.Consul, error) {
	u, err := url.Parse(text)
	if err != nil {
		return binding.Consul{}, fmt.Errorf("address of Consul: %w", err)
	}
	host, port, err := net.SplitHostPort(u.Host)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") {
		return binding.Consul{}, fmt.Errorf("address of Consul %q is not of the form http://host:port", text)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		return binding.Consul{}, fmt.Errorf("address of Consul %q: the port is not a number: %w", text, err)
	}
	return binding.Consul{Scheme: u.Scheme, Host: host, Port: n, Token: token}, nil
}

// Dial returns the connection to a target: static:///host:port,host:port or dns:///host:port or consul:///name. Service
// is its name in metrics, the one that other callers use too. A call waits at most so long as timeout.
func (c *Client) Dial(service, target string, timeout time.Duration) (grpc.ClientConnInterface, error) {
	if problem := config.Target(target).Problem(); problem != "" {
		return nil, fmt.Errorf("target %q %s", target, problem)
	}
	return c.clients.Dial(service, target, timeout, c.secure.dialOptions()...)
}

// WithRevision lets a caller know to which revision a call went, even if it failed; "" if no registry told.
func WithRevision(ctx context.Context) (context.Context, func() string) {
	ctx, picked := balance.WithPicked(ctx)
	return ctx, picked.Revision
}

// Close ends all connections.
func (c *Client) Close() error {
	err := c.clients.Close()
	c.registry.Close()
	c.secure.close()
	return err
}
