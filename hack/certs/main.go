package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/spf13/pflag"

	"movieexample.com/fleet/hack/certs/authority"
)

const (
	exitOK      = 0
	exitFailed  = 1
	exitMistake = 2
)

const authorityLifetime = 365 * 24 * time.Hour

type options struct {
	dir         string
	trustDomain string
	namespace   string
	lifetime    time.Duration
	services    []string
}

func main() { os.Exit(run(os.Args[1:], time.Now(), os.Stdout, os.Stderr)) }

func run(args []string, now time.Time, stdout, stderr io.Writer) int {
	o, err := parse(args, stderr)
	if errors.Is(err, pflag.ErrHelp) {
		return exitOK
	}
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "certs:", err)
		return exitMistake
	}
	if err := write(o, now, stdout); err != nil {
		_, _ = fmt.Fprintln(stderr, "certs:", err)
		return exitFailed
	}
	return exitOK
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	f := pflag.NewFlagSet("certs", pflag.ContinueOnError)
	f.SetOutput(stderr)
	f.SortFlags = false
	f.Usage = func() {
		_, _ = fmt.Fprintf(stderr, "usage: certs [flags] SERVICE…\n\n"+
			"Makes an authority in DIR, unless it is there, and a new certificate for each service as its binding\n"+
			"DIR/SERVICE/tls; a service that runs takes it up by itself.\n\n%s", f.FlagUsages())
	}
	f.StringVar(&o.dir, "dir", ".certs", "directory to write to")
	f.StringVar(&o.trustDomain, "trust-domain", "cluster.local", "trust domain of the identities")
	f.StringVar(&o.namespace, "namespace", "local", "namespace in the identities")
	f.DurationVar(&o.lifetime, "lifetime", 30*24*time.Hour, "how long the certificates hold, at most as long as the authority")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	o.services = f.Args()
	return o, errors.Join(o.mistakes()...)
}

func (o options) mistakes() []error {
	var errs []error
	if len(o.services) == 0 {
		errs = append(errs, errors.New("name the services: certs metadata rating movie"))
	}
	label := regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)
	for _, name := range append([]string{o.namespace}, o.services...) {
		if !label.MatchString(name) {
			errs = append(errs, fmt.Errorf("%q is not a name: use lower-case letters, digits and hyphens", name))
		}
	}
	if !regexp.MustCompile(`^[a-z0-9._-]+$`).MatchString(o.trustDomain) {
		errs = append(errs, fmt.Errorf("--trust-domain %q is not one: use lower-case letters, digits, dots, hyphens and underscores", o.trustDomain))
	}
	if o.lifetime <= 0 {
		errs = append(errs, fmt.Errorf("--lifetime %s is not above 0", o.lifetime))
	}
	return errs
}

func write(o options, now time.Time, stdout io.Writer) error {
	a, err := ensureAuthority(o.dir, now)
	if err != nil {
		return err
	}
	until := now.Add(o.lifetime)
	if until.After(a.Expires()) {
		until = a.Expires()
	}
	for _, service := range o.services {
		id := fmt.Sprintf("spiffe://%s/ns/%s/sa/%s", o.trustDomain, o.namespace, service)
		pair, err := a.Issue(authority.Request{
			Name: service, Identity: id, Hosts: []string{"localhost", service, "127.0.0.1", "::1"},
			NotBefore: now.Add(-time.Minute), NotAfter: until, // clocks of one machine may step back
		})
		if err != nil {
			return fmt.Errorf("certificate of %s: %w", service, err)
		}
		dir := filepath.Join(o.dir, service, "tls")
		err = errors.Join(replace(dir, "ca.crt", a.Certificate()), replace(dir, "tls.crt", pair.Certificate), replace(dir, "tls.key", pair.Key))
		if err != nil {
			return err
		}
		_, _ = fmt.Fprintf(stdout, "%-40s %s, until %s\n", dir, id, until.UTC().Format(time.DateOnly))
	}
	return nil
}

// ensureAuthority takes up the authority in dir, or makes one. One that is broken or at its end is not replaced silently:
// everything that trusts it would stop working.
func ensureAuthority(dir string, now time.Time) (*authority.Authority, error) {
	certificate, certificateErr := os.ReadFile(filepath.Join(dir, "ca.crt"))
	key, keyErr := os.ReadFile(filepath.Join(dir, "ca.key"))
	if errors.Is(certificateErr, os.ErrNotExist) && errors.Is(keyErr, os.ErrNotExist) {
		return newAuthority(dir, now)
	}
	if err := errors.Join(certificateErr, keyErr); err != nil {
		return nil, fmt.Errorf("%w; remove %s to begin anew", err, dir)
	}
	a, err := authority.Load(authority.Pair{Certificate: certificate, Key: key})
	if err != nil {
		return nil, fmt.Errorf("%s: %w; remove it to begin anew", dir, err)
	}
	if now.After(a.Expires()) {
		return nil, fmt.Errorf("%s: the authority expired on %s; remove it to begin anew", dir, a.Expires().UTC().Format(time.DateOnly))
	}
	return a, nil
}

func newAuthority(dir string, now time.Time) (*authority.Authority, error) {
	a, err := authority.New("movie-fleet on this machine", now.Add(-time.Minute), now.Add(authorityLifetime))
	if err != nil {
		return nil, err
	}
	pair, err := a.Pair()
	if err != nil {
		return nil, err
	}
	return a, errors.Join(replace(dir, "ca.key", pair.Key), replace(dir, "ca.crt", pair.Certificate))
}

// replace writes a file beside its place and moves it there, so that no reader sees half of it.
func replace(dir, name string, content []byte) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path+".new", content, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
