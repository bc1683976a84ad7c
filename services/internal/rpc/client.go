package rpc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/status"

	"movieexample.com/fleet/services/internal/breaker"
	"movieexample.com/fleet/services/internal/calls"
	"movieexample.com/fleet/services/internal/discovery/balance"
	"movieexample.com/fleet/services/internal/telemetry"
)

const (
	// A stream to another service on which nothing has moved for so long ends.
	streamIdle = time.Minute
	// A silent connection is tried, so that a server that vanished is noticed; not as often as servers call abuse.
	clientPing        = 15 * time.Second
	clientPingTimeout = 5 * time.Second
)

// Clients holds the program's connections: one for each target, for as long as the program runs.
type Clients struct {
	resolvers   []resolver.Builder
	traces      *telemetry.Traces
	handled     *prometheus.CounterVec
	unreachable *prometheus.CounterVec
	ejections   *prometheus.CounterVec
	seconds     *prometheus.HistogramVec
	breakers    *breaker.Metrics
	probes      *calls.Probes

	mu    sync.Mutex
	conns map[connKey]*grpc.ClientConn
}

// connKey is what makes two connections different ones.
type connKey struct {
	target string
	server spiffeid.ID
}

// NewClients makes connections that find instances by the resolvers' schemes.
func NewClients(metrics prometheus.Registerer, resolvers ...resolver.Builder) *Clients {
	balance.Register()
	c := &Clients{
		resolvers: resolvers,
		conns:     map[connKey]*grpc.ClientConn{},
		probes:    calls.NewProbes(),
		breakers:  breaker.NewMetrics(metrics),
		handled: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "grpc_client_handled_total",
			Help: "Calls to other services that ended, each attempt by itself, by target, revision of the instance that took it, and code.",
		}, []string{"target", "revision", "code"}),
		unreachable: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "grpc_client_unreachable_total",
			Help: "Calls meant for this revision that no instance of it could take and that another revision took.",
		}, []string{"target", "revision"}),
		ejections: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "grpc_client_ejections_total",
			Help: "Instances that were left out for a while because they failed or were slow while others of their revision did well.",
		}, []string{"target", "revision"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "grpc_client_handling_seconds", Help: "Time from a call to another service to its end.", Buckets: secondsBuckets,
		}, []string{"target", "revision"}),
	}
	metrics.MustRegister(c.handled, c.unreachable, c.ejections, c.seconds)
	return c
}

// Trace makes each call a span. It comes before the first Dial; nil records none.
func (c *Clients) Trace(t *telemetry.Traces) { c.traces = t }

// Dial returns the connection to the target; name stands for it in metrics. A call waits at most so long as timeout,
// or less if its own deadline comes first. The connection is made in the background: a target that is away is no error.
func (c *Clients) Dial(name, target string, timeout time.Duration, opts ...DialOption) (grpc.ClientConnInterface, error) {
	d := dialing{credentials: insecure.NewCredentials(), log: slog.New(slog.DiscardHandler), attempts: 1}
	for _, opt := range opts {
		opt(&d)
	}
	conn, err := c.connection(target, d)
	if err != nil {
		return nil, fmt.Errorf("upstream %s: target %q: %w", name, target, err)
	}
	var way grpc.ClientConnInterface = &upstream{ClientConn: conn, clients: c, name: name, log: d.log}
	if d.attempts > 1 {
		way = calls.Retry(way, d.attempts)
	}
	way = calls.Limit(way, timeout, streamIdle)
	if d.guarded {
		way = calls.Guard(way, breaker.New(name, c.breakers, d.log), c.probes)
	}
	return way, nil
}

func (c *Clients) connection(target string, d dialing) (*grpc.ClientConn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := connKey{target, d.server}
	if conn, ok := c.conns[key]; ok {
		return conn, nil
	}
	conn, err := grpc.NewClient(target, append(c.dialOptions(), grpc.WithTransportCredentials(d.credentials))...)
	if err != nil {
		return nil, err
	}
	conn.Connect() // before the first call needs it
	c.conns[key] = conn
	return conn, nil
}

func (c *Clients) dialOptions() []grpc.DialOption {
	return append(c.traces.DialOptions(),
		grpc.WithResolvers(c.resolvers...),
		grpc.WithDefaultServiceConfig(balance.ServiceConfig),
		grpc.WithDisableServiceConfig(), // nobody else decides on it through a DNS record
		grpc.WithIdleTimeout(0),         // an idle connection would forget the last good instances
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage)),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: clientPing, Timeout: clientPingTimeout, PermitWithoutStream: true}),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 5 * time.Second},
			MinConnectTimeout: 2 * time.Second,
		}))
}

// Breaker is one for a dependency that is no service, such as a database; it counts with those of services.
func (c *Clients) Breaker(dependency string, log *slog.Logger) *breaker.Breaker {
	return breaker.New(dependency, c.breakers, log)
}

// Close closes all connections.
func (c *Clients) Close() error {
	c.probes.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	var errs []error
	for _, conn := range c.conns {
		errs = append(errs, conn.Close())
	}
	clear(c.conns)
	return errors.Join(errs...)
}

// upstream is a connection as one caller sees it: each attempt of a call is counted for the revision that it went to, since
// the verdict on a canary must see those too that were repeated.
type upstream struct {
	*grpc.ClientConn

	clients *Clients
	name    string
	log     *slog.Logger
}

// Invoke makes one attempt and counts it.
func (u *upstream) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	ctx, picked := balance.WithPicked(ctx)
	picked.Begin()
	var header metadata.MD
	began := time.Now()
	err := u.ClientConn.Invoke(ctx, method, args, reply, append(opts, grpc.Header(&header))...)
	took := time.Since(began)
	if header != nil { // only a registry knows revisions beforehand; else the answer itself tells
		picked.Answered(first(header.Get(RevisionHeader)))
	}
	u.count(ctx, picked, err, took)
	return err
}

func (u *upstream) count(ctx context.Context, picked *balance.Picked, err error, took time.Duration) {
	revision := picked.Revision()
	u.clients.handled.WithLabelValues(u.name, revision, status.Code(err).String()).Inc()
	u.clients.seconds.WithLabelValues(u.name, revision).Observe(took.Seconds())
	if missed := picked.Missed(); missed != "" {
		u.clients.unreachable.WithLabelValues(u.name, missed).Inc()
	}
	if instance := picked.Ejected(); instance != "" {
		u.clients.ejections.WithLabelValues(u.name, revision).Inc()
		u.log.WarnContext(ctx, "Leaving out an instance for a while: it fails or is slow while others of its revision do well",
			telemetry.KeyTarget, u.name, telemetry.KeyAddress, instance, telemetry.KeyTargetRevision, revision, telemetry.KeyError, err)
	}
}

func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}
