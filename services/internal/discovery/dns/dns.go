package dns

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"time"

	"movieexample.com/fleet/services/internal/discovery"
)

const (
	usualEvery = 5 * time.Second // what Kubernetes lets others remember of a headless Service object
	patience   = 5 * time.Second // of one question, with all servers of resolv.conf
	jitter     = 0.2             // of each wait, up or down, so that callers do not ask all at once
)

// Watcher asks for a name's addresses again and again. gRPC's own resolver asks only once a connection has failed: pods
// that were added would get no calls until then.
type Watcher struct {
	// Resolver is who is asked; nil is the system's.
	Resolver *net.Resolver
	// Every is the time from one question to the next; 0 is five seconds.
	Every time.Duration
}

// Watch implements [discovery.Watcher]; service is host:port. Who is registered there, Kubernetes decides by readiness.
func (w Watcher) Watch(ctx context.Context, service string, update func(discovery.Snapshot, error)) {
	for {
		snapshot, err := w.ask(ctx, service)
		if ctx.Err() != nil {
			return
		}
		update(snapshot, err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(w.wait()):
		}
	}
}

func (w Watcher) wait() time.Duration {
	every := w.Every
	if every == 0 {
		every = usualEvery
	}
	return time.Duration(float64(every) * (1 - jitter + 2*jitter*rand.Float64())) //nolint:gosec // spreads load, guards nothing
}

func (w Watcher) ask(ctx context.Context, service string) (discovery.Snapshot, error) {
	host, text, err := net.SplitHostPort(service)
	if err != nil {
		return discovery.Snapshot{}, fmt.Errorf("%q is not host:port: %w", service, err)
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		return discovery.Snapshot{}, fmt.Errorf("%q: the port is not a number: %w", service, err)
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	resolver := w.Resolver
	if resolver == nil {
		resolver = net.DefaultResolver
	}
	addresses, err := resolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return discovery.Snapshot{}, err
	}
	var s discovery.Snapshot
	known := map[string]bool{}
	for _, a := range addresses {
		if ip := a.Unmap().String(); !known[ip] {
			known[ip] = true
			s.Instances = append(s.Instances, discovery.Instance{ID: ip, Host: ip, Port: port})
		}
	}
	return s, nil
}
