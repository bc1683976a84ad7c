package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/util/validation"
)

// options are the operator's flags.
type options struct {
	metricsAddress  string
	metricsSecure   bool
	metricsCertDir  string
	probeAddress    string
	leaderElect     bool
	leaseNamespace  string
	watchNamespaces []string
	webhookHosts    []string
	logLevel        string
	logFormat       string
	version         bool
}

// parse reads the flags. It returns pflag.ErrHelp when help was asked for and printed.
func parse(args []string, usage io.Writer) (options, error) {
	o := options{}
	f := pflag.NewFlagSet("manager", pflag.ContinueOnError)
	f.SetOutput(usage)
	f.SortFlags = false
	f.StringVar(&o.metricsAddress, "metrics-bind-address", ":8080", "address of /metrics; 0 turns it off")
	f.BoolVar(&o.metricsSecure, "metrics-secure", false, "serve /metrics by HTTPS, with a certificate of its own unless --metrics-cert-dir names one")
	f.StringVar(&o.metricsCertDir, "metrics-cert-dir", "", "directory with tls.crt and tls.key for --metrics-secure; read again when it changes")
	f.StringVar(&o.probeAddress, "health-probe-bind-address", ":8081", "address of /healthz and /readyz; 0 turns them off")
	f.BoolVar(&o.leaderElect, "leader-elect", true, "work only while holding a lease, so that several operators can run side by side")
	f.StringVar(&o.leaseNamespace, "leader-election-namespace", "", "namespace of the lease (default: the operator's own; needed outside a cluster)")
	f.StringSliceVar(&o.watchNamespaces, "watch-namespaces", nil, "namespaces to act in, separated by commas (default: all)")
	f.StringSliceVar(&o.webhookHosts, "webhook-hosts", nil, "hosts that webhooks of rollouts may call, separated by commas (default: none)")
	f.StringVar(&o.logLevel, "log-level", "info", "debug, info, warn or error")
	f.StringVar(&o.logFormat, "log-format", "json", "json or text")
	f.BoolVar(&o.version, "version", false, "print the version and exit")
	f.AddGoFlagSet(flag.CommandLine) // --kubeconfig
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if f.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q: only flags are understood, see --help", f.Arg(0))
	}
	return o, o.check()
}

// check finds every flag with a value that cannot be.
func (o *options) check() error {
	var errs []error
	if _, err := o.level(); err != nil {
		errs = append(errs, err)
	}
	if o.logFormat != "json" && o.logFormat != "text" {
		errs = append(errs, fmt.Errorf("--log-format is %q: write json or text", o.logFormat))
	}
	if o.metricsCertDir != "" && !o.metricsSecure {
		errs = append(errs, errors.New("--metrics-cert-dir has no effect without --metrics-secure: add it"))
	}
	for _, ns := range o.watchNamespaces {
		if len(validation.IsDNS1123Label(ns)) > 0 {
			errs = append(errs, fmt.Errorf("--watch-namespaces: %q is not the name of a namespace", ns))
		}
	}
	return errors.Join(errs...)
}

func (o *options) level() (slog.Level, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(o.logLevel)); err != nil {
		return l, fmt.Errorf("--log-level is %q: write debug, info, warn or error", o.logLevel)
	}
	return l, nil
}

// logger writes to standard error, in the format and from the level that the flags name.
func (o *options) logger() (*slog.Logger, error) {
	level, err := o.level()
	if err != nil {
		return nil, err
	}
	handler := &slog.HandlerOptions{Level: level}
	if o.logFormat == "text" {
		return slog.New(slog.NewTextHandler(os.Stderr, handler)), nil
	}
	return slog.New(slog.NewJSONHandler(os.Stderr, handler)), nil
}
