package discovery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"movieexample.com/fleet/services/internal/telemetry"
)

const (
	reportEvery   = time.Second
	reportTimeout = 2 * time.Second
)

// Announcer keeps one instance registered while it is ready: it registers at the first readiness, reports every second,
// and registers anew whatever the registry forgets. A registry that is away is asked again; the service serves meanwhile.
type Announcer struct {
	registrar Registrar
	service   string
	instance  Instance
	ready     func() bool
	log       *slog.Logger
	wake      chan struct{}

	mu         sync.Mutex // held during a report, so that Withdraw comes after it
	registered bool       // as far as is known
	ever       bool       // so that Withdraw clears what a registry in trouble may still hold
	withdrawn  bool
	trouble    bool
}

// NewAnnouncer does nothing until it runs.
func NewAnnouncer(registrar Registrar, service string, instance Instance, ready func() bool, log *slog.Logger) *Announcer {
	return &Announcer{
		registrar: registrar, service: service, instance: instance, ready: ready, wake: make(chan struct{}, 1),
		log: log.With(telemetry.KeyComponent, "announcer", telemetry.KeyInstance, instance.ID, telemetry.KeyAddress, instance.Address()),
	}
}

// Wake reports at once: readiness has turned.
func (a *Announcer) Wake() {
	select {
	case a.wake <- struct{}{}:
	default: // one is waiting already
	}
}

// Run reports until the context ends.
func (a *Announcer) Run(ctx context.Context) error {
	ticker := time.NewTicker(reportEvery)
	defer ticker.Stop()
	for {
		a.report(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		case <-a.wake:
		}
	}
}

// Withdraw deregisters for good.
func (a *Announcer) Withdraw(ctx context.Context) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.withdrawn = true
	if !a.ever {
		return nil
	}
	if err := a.registrar.Deregister(ctx, a.service, a.instance.ID); err != nil {
		return fmt.Errorf("deregistering %s of %s: %w", a.instance.ID, a.service, err)
	}
	a.log.InfoContext(ctx, "Deregistered")
	return nil
}

func (a *Announcer) report(ctx context.Context) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.withdrawn {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, reportTimeout)
	defer cancel()
	err := a.once(ctx)
	switch {
	case err == nil:
		a.trouble = false
	case errors.Is(ctx.Err(), context.Canceled): // the end of the service
	case !a.trouble:
		a.trouble = true
		a.log.WarnContext(ctx, "Cannot reach the registry; trying again every second", telemetry.KeyError, err)
	}
}

func (a *Announcer) once(ctx context.Context) error {
	ready := a.ready()
	if a.registered {
		err := a.registrar.ReportHealthy(ctx, a.service, a.instance.ID, ready)
		if err == nil {
			return nil
		}
		a.registered = false // whatever is wrong: registering anew mends it, and doing it twice changes nothing
		if !errors.Is(err, ErrUnknownInstance) {
			return err
		}
		a.log.WarnContext(ctx, "The registry forgot this instance; registering anew")
	}
	if !ready {
		return nil
	}
	if err := a.registrar.Register(ctx, a.service, a.instance); err != nil {
		return err
	}
	a.registered, a.ever = true, true
	a.log.InfoContext(ctx, "Registered", "name", a.service)
	return nil
}
