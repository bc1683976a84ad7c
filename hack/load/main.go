package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/pflag"

	"movieexample.com/fleet/services/client"
)

// Upper bounds: a mistyped number must not take a machine down.
const (
	maxRate     = 5000
	maxDuration = 2 * time.Hour
	maxCalls    = 5_000_000
	maxTimeout  = time.Minute
)

const (
	exitOK      = 0
	exitFailed  = 1
	exitMistake = 2
)

type options struct {
	target, rest, host, consul, method string
	tls, identity                      string
	metrics, jsonFile                  string
	rate                               int
	duration, timeout, slow            time.Duration
	movies                             []string
	maxFailed                          int
	quiet                              bool
}

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stderr)
	if errors.Is(err, pflag.ErrHelp) {
		return exitOK
	}
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "load:", err)
		return exitMistake
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	r, err := execute(ctx, o, stderr)
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "load:", err)
		return exitMistake
	}
	if err := r.write(o.jsonFile, stdout); err != nil {
		_, _ = fmt.Fprintln(stderr, "load:", err)
		return exitFailed
	}
	if o.maxFailed >= 0 && r.Failed > o.maxFailed {
		_, _ = fmt.Fprintf(stderr, "load: %d calls failed, at most %d may\n", r.Failed, o.maxFailed)
		return exitFailed
	}
	return exitOK
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	f := pflag.NewFlagSet("load", pflag.ContinueOnError)
	f.SetOutput(stderr)
	f.SortFlags = false
	f.StringVar(&o.target, "target", "", "gRPC target: consul:///name, dns:///host:port or static:///host:port,host:port")
	f.StringVar(&o.rest, "rest", "", "REST address instead of a target, for example http://127.0.0.1:8183")
	f.StringVar(&o.host, "host", "", "host to ask for in place of the address's own: a gateway may know several")
	f.StringVar(&o.tls, "tls", "", "call by TLS, with the tls.crt, tls.key and ca.crt in this directory, which may change meanwhile")
	f.StringVar(&o.identity, "identity", "", "with --tls, the name that the server's certificate must have, spiffe://DOMAIN/ns/NAMESPACE/sa/SERVICE")
	f.StringVar(&o.method, "method", details, "what to call: "+methodNames())
	f.StringSliceVar(&o.movies, "movies", nil, "ids to ask for, in turn")
	f.IntVar(&o.rate, "rate", 200, fmt.Sprintf("calls a second, at most %d; late answers do not slow it", maxRate))
	f.DurationVar(&o.duration, "duration", 30*time.Second, fmt.Sprintf("how long, at most %s", maxDuration))
	f.DurationVar(&o.timeout, "timeout", 5*time.Second, fmt.Sprintf("longest wait for one answer, at most %s", maxTimeout))
	f.DurationVar(&o.slow, "slow", 0, "count answers that take longer as bad, though not as failed; 0 counts none")
	f.StringVar(&o.consul, "consul", "", "Consul's address, for example http://127.0.0.1:8500, with its token in $CONSUL_HTTP_TOKEN; "+
		"else the binding consul under $SERVICE_BINDING_ROOT")
	f.StringVar(&o.metrics, "metrics", "", "serve what this caller counts at /metrics of this address, for example :8090, while the load lasts")
	f.StringVar(&o.jsonFile, "json", "", "write the report as JSON to this file; - is standard output, in place of the table")
	f.IntVar(&o.maxFailed, "max-failed", -1, "exit with 1 if more calls than this fail; -1 only reports")
	f.BoolVar(&o.quiet, "quiet", false, "show no progress")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	return o, errors.Join(o.mistakes(f.Args())...)
}

func (o options) mistakes(rest []string) []error {
	var errs []error
	refuse := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	refuse(len(rest) > 0, "unexpected argument %q", strings.Join(rest, " "))
	refuse((o.target == "") == (o.rest == ""), "give either --target or --rest")
	refuse((o.tls == "") != (o.identity == ""), "--tls and --identity go together")
	refuse(o.metrics != "" && o.rest != "", "--metrics is for --target: only gRPC calls are counted by their caller")
	refuse(methods()[o.method] == method{}, "--method %q is not one of %s", o.method, methodNames())
	refuse(len(o.movies) == 0, "give the ids to ask for: --movies 1,2,3")
	refuse(o.rate < 1 || o.rate > maxRate, "--rate %d is not from 1 to %d", o.rate, maxRate)
	refuse(o.duration <= 0 || o.duration > maxDuration, "--duration %s is not above 0 and at most %s", o.duration, maxDuration)
	refuse(o.timeout <= 0 || o.timeout > maxTimeout, "--timeout %s is not above 0 and at most %s", o.timeout, maxTimeout)
	refuse(o.slow < 0, "--slow %s is below 0", o.slow)
	refuse(o.calls() > maxCalls, "--rate and --duration make %d calls, at most %d are allowed", o.calls(), maxCalls)
	return errs
}

// calls is how many calls are due.
func (o options) calls() int { return int(float64(o.rate) * o.duration.Seconds()) }

// execute makes the calls. An error means that none was made.
func execute(ctx context.Context, o options, stderr io.Writer) (*report, error) {
	registry := prometheus.NewRegistry()
	c, err := client.New(client.Options{ //nolint:contextcheck // it lives until Close, not until ctx ends
		ConsulURL: o.consul, ConsulToken: os.Getenv("CONSUL_HTTP_TOKEN"), Metrics: registry, TLSDir: o.tls, Server: o.identity,
		Log: slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		return nil, err
	}
	defer func() { _ = c.Close() }() // the calls are over
	if o.rest != "" {
		caller, err := newREST(o.rest, o.method, o.host, o.timeout, c.TLS())
		if err != nil {
			return nil, err
		}
		defer caller.close()
		return drive(ctx, o, caller.call, stderr), nil
	}
	conn, err := c.Dial(methods()[o.method].service, o.target, o.timeout)
	if err != nil {
		return nil, err
	}
	stop, err := serveMetrics(ctx, o.metrics, registry, stderr)
	if err != nil {
		return nil, err
	}
	defer stop()
	return drive(ctx, o, newGRPC(conn, o.method, o.host), stderr), nil
}
