package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
	"google.golang.org/grpc"

	"movieexample.com/fleet/services/internal/auth"
	"movieexample.com/fleet/services/internal/breaker"
	"movieexample.com/fleet/services/internal/config"
	"movieexample.com/fleet/services/internal/flags"
	"movieexample.com/fleet/services/internal/lifecycle"
	"movieexample.com/fleet/services/internal/lock"
	"movieexample.com/fleet/services/internal/rpc"
	"movieexample.com/fleet/services/internal/telemetry"
)

// Version is set when the program is linked: -ldflags "-X movieexample.com/fleet/services/internal/app.Version=v1".
var Version = "dev" // the linker can set nothing else

// Exit codes: what a person or an operator can do about it differs.
const (
	exitOK      = 0
	exitFailed  = 1
	exitMistake = 2 // settings, flags or faults that can never work
)

// Program is a service before it runs.
type Program[C config.Settings] struct {
	Name     string
	Defaults C
	// Build makes the service. It must not wait for other servers: what is away shows in the checks.
	Build func(ctx context.Context, env Env[C]) (Service, error)
	// Migrate brings the database's schema up to date and returns; nil if the service has no database.
	Migrate func(ctx context.Context, env Env[C]) error
	// Schema tells the version of the database's schema; nil if the service has no database.
	Schema func(ctx context.Context, env Env[C]) (fmt.Stringer, error)
	// Commands are what the program can do besides.
	Commands []Command[C]

	background bool // it works without taking calls: the admin server is its only one
}

// Env is what a service gets to build itself with.
type Env[C config.Settings] struct {
	Config C
	// Instance names this process among those of the service: its pod, else its machine.
	Instance string
	// Revision is what the operator calls this program with these settings; empty where nobody gave it a name.
	Revision string
	Log      *slog.Logger
	Metrics  prometheus.Registerer
	// Traces is for spans of the service's own; without a collector it records none.
	Traces trace.TracerProvider
	// Dial returns the connection to another service; name stands for it in metrics.
	Dial func(name string, u config.Upstream) (grpc.ClientConnInterface, error)
	// Locks are shared by all instances of the service if it has a registry, else by this process alone.
	Locks lock.Locker
	// Authorize holds the service's methods to their rules. The service does not start unless each method has one.
	Authorize func(c config.Auth, policy auth.Policy) error
	// Breaker guards a dependency that is no service, such as a database; dependency stands for it in metrics and logs.
	Breaker func(dependency string) *breaker.Breaker
	// Fault breaks events of a partition on purpose, in a build that can; see package fault. It may wait until ctx ends.
	Fault func(ctx context.Context, partition int32) error
	// Flags are the service's feature flags, with what they are where nobody sets them. It may be called once.
	Flags func(c config.Flags, defaults flags.Defaults) (*flags.Set, error)
}

// Service is what a program serves.
type Service struct {
	RegisterGRPC func(grpc.ServiceRegistrar)
	RegisterREST []rpc.RegisterREST
	// Checks are the conditions of readiness. A dependency that the service can do without is none.
	Checks []lifecycle.Check
	// Workers run beside the servers. Their contexts end after the last call and before Close.
	Workers []Worker
	// Close ends what Build began, after the last call; nil if there is nothing to end.
	Close func() error
}

// Worker is work in the background. If it returns an error or panics, the service ends in order, as on a signal.
type Worker struct {
	Name string
	Run  func(context.Context) error
}

// Main runs the program as its arguments say and returns the exit code.
func Main[C config.Settings](p Program[C]) int {
	ctx := context.Background()
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	defer signal.Stop(signals)
	return run(ctx, p, os.Args[1:], process{lookupEnv: os.LookupEnv, stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, signals: signals})
}

// process is what a program has of the operating system.
type process struct {
	lookupEnv func(string) (string, bool)
	stdin     io.Reader
	stdout    io.Writer
	stderr    io.Writer
	signals   <-chan os.Signal
}

func (p process) env(name string) string {
	value, _ := p.lookupEnv(name)
	return value
}

// errMistake marks errors that need a changed setting.
var errMistake = errors.New("")

func run[C config.Settings](ctx context.Context, p Program[C], args []string, proc process) int {
	root := command(p, proc)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, config.ErrInvalid), errors.Is(err, errMistake):
		_, _ = fmt.Fprintf(proc.stderr, "%s: %v\n", p.Name, err)
		return exitMistake
	}
	_, _ = fmt.Fprintf(proc.stderr, "%s: %v\n", p.Name, err)
	return exitFailed
}

// command is the command line: no arguments serve, migrate migrates.
func command[C config.Settings](p Program[C], proc process) *cobra.Command {
	loader := config.NewLoader(p.Name, p.Defaults)
	root := &cobra.Command{
		Use:           p.Name,
		Short:         "Serve " + p.Name + " over gRPC and REST until SIGTERM or SIGINT",
		Version:       Version,
		Args:          words(cobra.NoArgs),
		SilenceErrors: true, // run prints them
		SilenceUsage:  true,
		RunE:          func(cmd *cobra.Command, _ []string) error { return serve(cmd.Context(), p, loader, proc) },
	}
	root.SetOut(proc.stdout)
	root.SetErr(proc.stderr)
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return mistake(err) })
	loader.BindFlags(root.PersistentFlags())
	root.AddCommand(configuration(loader, proc))
	if p.Schema != nil {
		root.AddCommand(schema(p, loader, proc))
	}
	if p.Migrate != nil {
		root.AddCommand(&cobra.Command{
			Use:   "migrate",
			Short: "Bring the database's schema up to date and end; waits for a database that is away",
			Args:  cobra.NoArgs,
			RunE:  func(cmd *cobra.Command, _ []string) error { return migrate(cmd.Context(), p, loader, proc) },
		})
	}
	for _, c := range p.Commands {
		addCommand(root, c, p, loader, proc)
	}
	return root
}

func mistake(err error) error { return fmt.Errorf("%w%w", errMistake, err) }

func migrate[C config.Settings](ctx context.Context, p Program[C], loader *config.Loader[C], proc process) error {
	c, log, err := prepare(p, loader, proc, &slog.LevelVar{})
	if err != nil {
		return err
	}
	began := time.Now()
	err = untilSignal(ctx, proc, func(ctx context.Context) error {
		return p.Migrate(ctx, Env[C]{Config: c, Log: log, Metrics: prometheus.NewRegistry(), Traces: noop.NewTracerProvider()})
	})
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	log.InfoContext(ctx, "The database's schema is up to date", telemetry.KeyDuration, time.Since(began))
	return nil
}

// untilSignal ends work early on a signal, and waits for it.
func untilSignal(ctx context.Context, proc process, work func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- work(ctx) }()
	select {
	case err := <-done:
		return err
	case s := <-proc.signals:
		cancel()
		if err := <-done; err != nil {
			return fmt.Errorf("ended by %s: %w", s, err)
		}
		return nil
	}
}

// prepare reads the settings and makes the logger, whose level is held in level.
func prepare[C config.Settings](p Program[C], loader *config.Loader[C], proc process, level *slog.LevelVar) (C, *slog.Logger, error) {
	c, err := loader.Load(proc.lookupEnv)
	if err != nil {
		return c, nil, err
	}
	settings := c.Base().Log
	log, err := telemetry.NewLogger(proc.stdout, telemetry.LogOptions{Level: settings.Level, Format: settings.Format, Live: level})
	if err != nil {
		return c, nil, mistake(err)
	}
	log = log.With(telemetry.KeyService, p.Name, telemetry.KeyVersion, Version)
	if revision := proc.env(envRevision); revision != "" {
		log = log.With(telemetry.KeyRevision, revision)
	}
	return c, log, nil
}
