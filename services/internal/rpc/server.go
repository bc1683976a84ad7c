package rpc

import (
	"context"
	"log/slog"
	"net"
	"time"

	grpcprom "github.com/grpc-ecosystem/go-grpc-middleware/providers/prometheus"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/test/bufconn"

	"movieexample.com/fleet/services/internal/identity"
	"movieexample.com/fleet/services/internal/limits"
	"movieexample.com/fleet/services/internal/telemetry"
	"movieexample.com/fleet/services/internal/validate"
)

// RevisionHeader tells, in each answer over gRPC and REST, which revision gave it.
const RevisionHeader = "fleet-revision"

const (
	maxMessage = 4 << 20
	maxHeader  = 64 << 10
	// Calls are answered by goroutines that stay, and beyond them by new ones: a new one grows its stack anew for the depth
	// of interceptors, which costs more than all of them do.
	streamWorkers = 64
	// A connection that does not say what it wants by then is cut.
	connectTimeout = 5 * time.Second
	// A connection ends after some minutes (gRPC adds ± 10 %), so that callers behind a load balancer that sees only
	// connections spread over new instances too. Calls in flight finish.
	maxConnectionAge      = 5 * time.Minute
	maxConnectionAgeGrace = 30 * time.Second
	keepaliveTime         = 30 * time.Second // ping a silent client, to notice one that vanished
	keepaliveTimeout      = 10 * time.Second
	clientPingMin         = 10 * time.Second // pings more often than that are abuse; see clientPing
)

// secondsBuckets hold 0.1 s, the limit that objectives speak of.
var secondsBuckets = []float64{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5} // a constant

// ServerOptions are what differs between services.
type ServerOptions struct {
	Log        *slog.Logger
	Metrics    prometheus.Registerer
	Revision   string // empty if nobody says
	Reflection bool
	Limits     *limits.Limits    // nil has none
	Traces     *telemetry.Traces // nil records none
	// Innermost stands right before the handler.
	Innermost []grpc.UnaryServerInterceptor
	// Credentials protect connections from the network; nil leaves them plain.
	Credentials credentials.TransportCredentials
	// Clients are the only ones that may call; empty lets in everybody who got a connection.
	Clients []spiffeid.ID
	// Authorize stands before the rules of requests: who may not call does not learn what a right request is.
	Authorize       []grpc.UnaryServerInterceptor
	AuthorizeStream []grpc.StreamServerInterceptor
}

// Server is a gRPC server with health and metrics, reachable over the network and from inside the process.
type Server struct {
	*grpc.Server

	health  *health.Server
	metrics *grpcprom.ServerMetrics
	inside  *bufconn.Listener
	log     *slog.Logger
	reflect bool
}

// NewServer makes a server that is not healthy yet. Register services on it, then call Serve.
func NewServer(o ServerOptions) *Server {
	metrics := grpcprom.NewServerMetrics(grpcprom.WithServerHandlingTimeHistogram(
		grpcprom.WithHistogramBuckets(secondsBuckets)))
	panics := prometheus.NewCounter(prometheus.CounterOpts{
		Name: "grpc_server_panics_total", Help: "Calls that ended in a panic of the handler.",
	})
	o.Metrics.MustRegister(metrics, panics)
	admission := identity.Admit(o.Clients, o.Log)
	chain := []grpc.UnaryServerInterceptor{
		metrics.UnaryServerInterceptor(), // outermost: it counts what the caller sees
		knowCaller,
		announceRevision(o.Revision),
		admission.Unary,
		hideInternals(o.Log),
		boundAnswer,
		recoverPanic(panics),
	}
	streams := []grpc.StreamServerInterceptor{
		metrics.StreamServerInterceptor(),
		knowStreamCaller,
		announceStreamRevision(o.Revision),
		admission.Stream,
		hideStreamInternals(o.Log),
		recoverStreamPanic(panics),
	}
	if o.Limits != nil {
		chain, streams = append(chain, o.Limits.Unary), append(streams, o.Limits.Stream)
	}
	chain, streams = append(chain, o.Authorize...), append(streams, o.AuthorizeStream...)
	if o.Limits != nil { // after tokens, since a caller is told apart by them
		chain, streams = append(chain, o.Limits.UnaryRate), append(streams, o.Limits.StreamRate)
	}
	chain, streams = append(chain, validate.Unary), append(streams, validate.Stream)
	s := &Server{
		Server: grpc.NewServer(append(append(serverOptions(), o.Traces.ServerOptions()...),
			grpc.ChainUnaryInterceptor(append(chain, o.Innermost...)...),
			grpc.ChainStreamInterceptor(streams...),
			grpc.Creds(inside(o.Credentials)))...),
		health:  health.NewServer(),
		metrics: metrics,
		inside:  bufconn.Listen(1 << 20),
		log:     o.Log,
		reflect: o.Reflection,
	}
	healthv1.RegisterHealthServer(s.Server, s.health)
	s.SetReady(false)
	return s
}

func serverOptions() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.NumStreamWorkers(streamWorkers),
		grpc.MaxRecvMsgSize(maxMessage),
		grpc.MaxSendMsgSize(maxMessage),
		grpc.MaxHeaderListSize(maxHeader),
		grpc.ConnectionTimeout(connectTimeout),
		grpc.KeepaliveParams(keepalive.ServerParameters{
			MaxConnectionAge: maxConnectionAge, MaxConnectionAgeGrace: maxConnectionAgeGrace,
			Time: keepaliveTime, Timeout: keepaliveTimeout,
		}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: clientPingMin, PermitWithoutStream: true}),
	}
}

// SetReady sets the answer of the gRPC health service.
func (s *Server) SetReady(ready bool) {
	status := healthv1.HealthCheckResponse_NOT_SERVING
	if ready {
		status = healthv1.HealthCheckResponse_SERVING
	}
	s.health.SetServingStatus("", status)
}

// Prepare is called once all services are registered: their counters start at 0, so that the first call shows as a rise.
func (s *Server) Prepare() {
	if s.reflect {
		reflection.Register(s.Server)
	}
	s.metrics.InitializeMetrics(s.Server)
}

// ServeInside answers calls from within the process, until the server stops.
func (s *Server) ServeInside(context.Context) error { return s.Serve(s.inside) }

// ServeOn answers calls from the network, until the server stops.
func (s *Server) ServeOn(listener net.Listener) func(context.Context) error {
	return func(context.Context) error { return s.Serve(listener) }
}

// Stop lets calls in flight finish until the context ends, then cuts them.
func (s *Server) Stop(ctx context.Context) error {
	done := make(chan struct{})
	go func() { s.GracefulStop(); close(done) }() // ends with either stop below
	select {
	case <-done:
	case <-ctx.Done():
		s.Server.Stop()
		<-done
		return ctx.Err()
	}
	return nil
}
