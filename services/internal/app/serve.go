package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/resolver"

	"movieexample.com/fleet/services/internal/binding"
	"movieexample.com/fleet/services/internal/breaker"
	"movieexample.com/fleet/services/internal/config"
	"movieexample.com/fleet/services/internal/discovery"
	"movieexample.com/fleet/services/internal/discovery/consul"
	"movieexample.com/fleet/services/internal/discovery/dns"
	"movieexample.com/fleet/services/internal/fault"
	"movieexample.com/fleet/services/internal/flags"
	"movieexample.com/fleet/services/internal/identity"
	"movieexample.com/fleet/services/internal/lifecycle"
	"movieexample.com/fleet/services/internal/lock"
	consullock "movieexample.com/fleet/services/internal/lock/consul"
	"movieexample.com/fleet/services/internal/rpc"
	"movieexample.com/fleet/services/internal/telemetry"
)

// What the operator tells a pod about itself.
const (
	envRevision  = "FLEET_REVISION"
	envApp       = "FLEET_APP"
	envPodName   = "POD_NAME"
	envNamespace = "POD_NAMESPACE"
	envPodUID    = "POD_UID"
	envPodIP     = "POD_IP"
)

const stopPart = 2 * time.Second // for a part whose stop should be immediate

// server is a service while it is put together; each method of assemble fills in some of it.
type server[C config.Settings] struct {
	program Program[C]
	loader  *config.Loader[C]
	config  C
	proc    process
	log     *slog.Logger
	level   *slog.LevelVar

	faults    fault.Switch
	metrics   *prometheus.Registry
	traces    *telemetry.Traces // nil if none are recorded
	listeners map[string]net.Listener
	registry  *consul.Registry // nil without Consul
	identity  *identity.Files  // nil without TLS
	clients   *rpc.Clients
	service   Service
	flags     *flags.Set // nil if the service has none
	workers   *workers

	authorization authorization

	readiness *lifecycle.Readiness
	grpc      *rpc.Server
	rest      *rpc.REST
	admin     *rpc.Admin
	announcer *discovery.Announcer // nil without a registry
}

func serve[C config.Settings](ctx context.Context, p Program[C], loader *config.Loader[C], proc process) error {
	level := &slog.LevelVar{}
	c, log, err := prepare(p, loader, proc, level)
	if err != nil {
		return err
	}
	useMemory(ctx, proc, log)
	s := &server[C]{program: p, loader: loader, config: c, proc: proc, log: log, level: level, workers: newWorkers(ctx)}
	if err := s.assemble(ctx); err != nil {
		return errors.Join(err, s.release(), s.traces.Stop(ctx))
	}
	runner := lifecycle.NewRunner(ctx, log)
	s.start(runner)
	s.stopInOrder(runner)
	s.announceStart(ctx)
	return runner.Run(ctx, proc.signals)
}

// assemble makes all parts; none of them runs yet.
func (s *server[C]) assemble(ctx context.Context) error {
	var err error
	if s.faults, err = fault.FromEnv(s.proc.lookupEnv); err != nil {
		return mistake(err)
	}
	s.metrics = telemetry.NewRegistry(s.program.Name, Version, s.proc.env(envRevision))
	if err := s.listen(ctx); err != nil {
		return err
	}
	if err := s.identify(); err != nil {
		return err
	}
	if err := s.trace(ctx); err != nil {
		return err
	}
	s.connect()
	s.clients.Trace(s.traces)
	env := Env[C]{
		Config: s.config, Instance: cmp.Or(s.proc.env(envPodName), hostname()), Revision: s.proc.env(envRevision), Log: s.log, Metrics: s.metrics, Traces: s.traces.Provider(), Dial: s.dial, Locks: s.locks(), Authorize: s.authorize,
		Breaker: s.breaker, Flags: s.features, Fault: s.faults.Event,
	}
	if s.service, err = s.program.Build(ctx, env); err != nil {
		return err
	}
	if s.faults.String() != "" {
		s.service.Checks = append(s.service.Checks, lifecycle.Check{Name: "fault", Run: s.faults.Ready})
	}
	s.readiness = lifecycle.NewReadiness(s.log, s.service.Checks)
	return s.servers(ctx)
}

// listen takes all ports first, so that a port in use is the first thing a person reads.
func (s *server[C]) listen(ctx context.Context) error {
	base := s.config.Base()
	s.listeners = map[string]net.Listener{}
	var errs []error
	ports := map[string]config.Port{"admin.port": base.Admin.Port}
	if !s.program.background {
		ports["api.port"], ports["rest.port"] = base.API.Port, base.REST.Port
	}
	for path, port := range ports {
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort("", strconv.Itoa(int(port))))
		if err != nil {
			errs = append(errs, fmt.Errorf("%s %d: %w; end the other program, or choose another with --%s or --port", path, port, err, path))
			continue
		}
		s.listeners[path] = l
	}
	return errors.Join(append(errs, s.listenForProfiles(ctx))...)
}

// connect makes the registry and the ways to other services.
func (s *server[C]) connect() {
	resolvers := []resolver.Builder{
		discovery.NewResolver("static", discovery.Static{}, s.log),
		discovery.NewResolver("dns", dns.Watcher{}, s.log),
	}
	if s.config.Base().Discovery.Kind != config.Consul {
		s.clients = rpc.NewClients(s.metrics, resolvers...)
		return
	}
	s.registry = consul.New(func() (binding.Consul, error) {
		dir, err := binding.Dir("consul")
		if err != nil {
			return binding.Consul{}, err
		}
		return binding.ReadConsul(dir)
	})
	s.clients = rpc.NewClients(s.metrics, append(resolvers, discovery.NewResolver("consul", s.registry, s.log))...)
}

func (s *server[C]) breaker(dependency string) *breaker.Breaker {
	return s.clients.Breaker(dependency, s.log)
}

// servers makes the admin server, which every program has, and those that calls come to.
func (s *server[C]) servers(ctx context.Context) error {
	self := rpc.Identity{Service: s.program.Name, Version: Version, Revision: s.proc.env(envRevision)}
	s.admin = rpc.NewAdmin(s.metrics, self, s.readiness.State)
	if s.program.background {
		return nil
	}
	return s.callServers(ctx, self.Revision)
}

func (s *server[C]) callServers(ctx context.Context, revision string) error {
	bounds, err := s.limits()
	if err != nil {
		return err
	}
	s.grpc = rpc.NewServer(rpc.ServerOptions{
		Log: s.log, Metrics: s.metrics, Revision: revision, Reflection: s.config.Base().API.Reflection,
		Innermost:   []grpc.UnaryServerInterceptor{s.faults.Intercept},
		Credentials: s.credentials(), Clients: s.config.Base().TLS.ClientIDs(),
		Limits: bounds, Traces: s.traces,
		Authorize: s.authorization.unary(), AuthorizeStream: s.authorization.stream(),
	})
	s.service.RegisterGRPC(s.grpc)
	if err := s.authorization.covers(s.grpc.Server); err != nil {
		return err
	}
	s.grpc.Prepare()
	if s.rest, err = rpc.NewREST(ctx, s.grpc, revision, s.service.RegisterREST...); err != nil {
		return err
	}
	s.readiness.OnChange(s.grpc.SetReady)
	if s.registry != nil {
		s.announcer = discovery.NewAnnouncer(s.registry, s.registeredName(), s.instance(), s.readiness.Ready, s.log)
		s.readiness.OnChange(func(bool) { s.announcer.Wake() })
	}
	return nil
}

func (s *server[C]) registeredName() string {
	return cmp.Or(s.config.Base().Discovery.Name, s.program.Name)
}

func (s *server[C]) locks() lock.Locker {
	if s.registry == nil {
		return &lock.Memory{}
	}
	return consullock.New(s.registry.Use, s.registeredName(), s.instance().ID)
}

// instance is this process as the registry shows it. On a laptop there is no pod to name it.
func (s *server[C]) instance() discovery.Instance {
	port := port(s.listeners["api.port"])
	host := cmp.Or(s.proc.env(envPodIP), "127.0.0.1")
	return discovery.Instance{
		ID:        cmp.Or(s.proc.env(envPodName), fmt.Sprintf("%s-%s-%d", s.registeredName(), cmp.Or(hostname(), host), port)),
		Host:      host,
		Port:      port,
		Revision:  s.proc.env(envRevision),
		PodUID:    s.proc.env(envPodUID),
		Namespace: s.proc.env(envNamespace),
		App:       s.proc.env(envApp),
	}
}

// hostname is empty where the system does not know it.
func hostname() string {
	name, err := os.Hostname()
	if err != nil {
		return ""
	}
	return name
}

// port is 0 for a listener that the program does not have.
func port(l net.Listener) int {
	if l == nil {
		return 0
	}
	return l.Addr().(*net.TCPAddr).Port // listen makes TCP listeners only
}

// start begins with what a probe asks and ends with what brings calls in.
func (s *server[C]) start(r *lifecycle.Runner) {
	r.Go("admin server", s.admin.ServeOn(s.listeners["admin.port"]))
	if !s.program.background {
		r.Go("gRPC server", s.grpc.ServeOn(s.listeners["api.port"]))
		r.Go("gRPC server inside", s.grpc.ServeInside)
		r.Go("REST server", s.rest.ServeOn(s.secured(s.listeners["rest.port"])))
	}
	r.Go("readiness", s.readiness.Run)
	r.Go("faults", s.faults.Run)
	r.Go("configuration file", s.follow)
	s.serveProfiles(r)
	if s.identity != nil {
		r.Go("certificate", s.identity.Run)
	}
	if s.authorization.keys != nil {
		r.Go("keys of tokens", s.authorization.keys.Run)
	}
	if s.flags != nil {
		r.Go("feature flags", s.flags.Run)
	}
	if s.announcer != nil {
		r.Go("announcer", s.announcer.Run)
	}
	for _, w := range s.service.Workers {
		r.Go(w.Name, s.workers.own(w.Run))
	}
}

// stopInOrder lets no call be lost: first nobody is sent here any more, then callers get time to learn of it, then calls
// in flight finish, and only then goes what they need. REST ends before gRPC because its requests pass through it.
func (s *server[C]) stopInOrder(r *lifecycle.Runner) {
	wait := s.config.Base().Shutdown
	r.OnStop("readiness", stopPart, func(context.Context) error { s.readiness.Drain(); return nil })
	if !s.program.background {
		s.stopCalls(r, wait)
	}
	r.OnStop("workers", wait.Deadline, s.workers.stop)
	r.OnStop("admin server", stopPart, s.admin.Stop)
	r.OnStop("connections", stopPart, func(context.Context) error { return s.release() })
	r.OnStop("traces", stopPart, s.traces.Stop) // last, so that they tell of all before
}

func (s *server[C]) stopCalls(r *lifecycle.Runner, wait config.Shutdown) {
	if s.announcer != nil {
		r.OnStop("registration", stopPart, s.announcer.Withdraw)
	}
	r.OnStop("propagation", wait.Propagation+stopPart, func(ctx context.Context) error {
		select {
		case <-ctx.Done():
		case <-time.After(wait.Propagation):
		}
		return nil
	})
	var drained time.Time // one deadline for REST and gRPC together
	r.OnStop("REST server", wait.Deadline, func(ctx context.Context) error {
		drained = time.Now().Add(wait.Deadline)
		return s.rest.Stop(ctx)
	})
	r.OnStop("gRPC server", wait.Deadline, func(ctx context.Context) error {
		ctx, cancel := context.WithDeadline(ctx, drained)
		defer cancel()
		return s.grpc.Stop(ctx)
	})
}

// release closes what is open whether or not the service ever ran.
func (s *server[C]) release() error {
	var errs []error
	if s.grpc != nil {
		s.grpc.Server.Stop() // of a server that never ran; the other one has stopped
	}
	if s.clients != nil {
		errs = append(errs, s.clients.Close())
	}
	if s.registry != nil {
		s.registry.Close()
	}
	if s.service.Close != nil {
		errs = append(errs, s.service.Close())
	}
	for _, l := range s.listeners {
		if err := l.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (s *server[C]) announceStart(ctx context.Context) {
	if s.faults.String() != "" {
		s.log.WarnContext(ctx, "Faults are on: this instance misbehaves on purpose", "faults", s.faults.String())
	}
	if s.program.background {
		s.log.InfoContext(ctx, "Working", "admin", s.listeners["admin.port"].Addr().String())
		return
	}
	s.log.InfoContext(ctx, "Serving",
		"api", s.listeners["api.port"].Addr().String(),
		"rest", s.listeners["rest.port"].Addr().String(),
		"admin", s.listeners["admin.port"].Addr().String(),
		"tls", s.config.Base().TLS.Mode)
}
