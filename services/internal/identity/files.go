package identity

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spiffe/go-spiffe/v2/bundle/x509bundle"
	"github.com/spiffe/go-spiffe/v2/spiffeid"

	"movieexample.com/fleet/services/internal/binding"
	"movieexample.com/fleet/services/internal/telemetry"
)

// lookEvery is how often the files are read. Reading three small files costs less than keeping a watch that each way of
// writing them (a link that moves, a file that is replaced or written over, a network file system) reports differently.
const lookEvery = time.Second

// Files is a service's certificate, key and authorities as the files of a binding have them. Whoever uses it sees the
// newest ones that were good.
type Files struct {
	dir    string
	domain spiffeid.TrustDomain
	log    *slog.Logger

	current atomic.Pointer[material]
	reloads *prometheus.CounterVec

	// Of the one who looks.
	last    glance
	trouble string // the last problem that was logged
	expired bool   // that the current certificate has expired was logged
}

// glance is what one look saw.
type glance struct {
	binding binding.TLS
	problem string
}

// Open reads the files in dir, which must be good, and takes part in the trust domain.
func Open(dir string, domain spiffeid.TrustDomain, log *slog.Logger) (*Files, error) {
	b, err := binding.ReadTLS(dir)
	if err != nil {
		return nil, err
	}
	m, err := parse(b, domain, time.Now())
	if err != nil {
		return nil, fmt.Errorf("binding %q: %w", dir, err)
	}
	f := &Files{
		dir: dir, domain: domain, log: log.With(telemetry.KeyComponent, "identity"),
		last: glance{binding: b}, reloads: newReloads(),
	}
	f.current.Store(m)
	return f, nil
}

// ID is the service's own name.
func (f *Files) ID() spiffeid.ID { return f.current.Load().id }

// Run looks at the files once a second until the context ends.
func (f *Files) Run(ctx context.Context) error {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-ticker.C:
			f.look(now)
		}
	}
}

// look takes what the files hold if it is new, good, and was the same at the look before: a pair that is being written
// is not judged.
func (f *Files) look(now time.Time) {
	f.warnOfExpiry(now)
	seen := glance{}
	var err error
	if seen.binding, err = binding.ReadTLS(f.dir); err != nil {
		seen.problem = err.Error()
	}
	settled := seen == f.last
	f.last = seen
	switch {
	case !settled:
	case err != nil:
		f.refuse(seen.problem)
	case seen.binding == f.current.Load().source:
		f.trouble = ""
	default:
		f.load(seen.binding, now)
	}
}

func (f *Files) load(b binding.TLS, now time.Time) {
	m, err := parse(b, f.domain, now)
	if err != nil {
		f.refuse(err.Error())
		return
	}
	f.current.Store(m)
	f.trouble, f.expired = "", false
	f.reloads.WithLabelValues(loaded).Inc()
	f.log.Info("The certificate was loaded anew", "identity", m.id.String(), "expires", m.expires(), "authorities", fingerprints(m.bundle))
}

// refuse keeps what there is: one line and one count, however long the problem lasts.
func (f *Files) refuse(problem string) {
	if problem == f.trouble {
		return
	}
	f.trouble = problem
	f.reloads.WithLabelValues(refused).Inc()
	f.log.Error("The certificate's files are not usable; the ones loaded before stay in use", telemetry.KeyError, problem)
}

func (f *Files) warnOfExpiry(now time.Time) {
	if m := f.current.Load(); now.After(m.expires()) && !f.expired {
		f.expired = true
		f.log.Error("The certificate has expired: nobody who checks it can call or be called", "expires", m.expires())
	}
}

// GetX509BundleForTrustDomain lets certificates be checked by the authorities of this moment.
func (f *Files) GetX509BundleForTrustDomain(domain spiffeid.TrustDomain) (*x509bundle.Bundle, error) {
	return f.current.Load().bundle.GetX509BundleForTrustDomain(domain)
}
