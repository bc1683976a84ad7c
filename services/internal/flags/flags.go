package flags

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/open-feature/go-sdk/openfeature"
	"github.com/open-feature/go-sdk/openfeature/isolated"
	"github.com/open-feature/go-sdk/openfeature/memprovider"
	"github.com/prometheus/client_golang/prometheus"

	"movieexample.com/fleet/services/internal/telemetry"
)

// Defaults are the flags that a service has, with what they are where no source sets them.
type Defaults map[string]bool

// Set is a service's flags. It is safe for concurrent use.
type Set struct {
	defaults Defaults
	sources  []Source
	api      *openfeature.EvaluationAPI
	client   *openfeature.Client
	provider *memprovider.InMemoryProvider
	metrics  *metrics
	log      *slog.Logger

	mu       sync.Mutex
	inForce  map[string]bool
	accounts []account // by source
}

// New makes the flags of a service; they are the defaults until Run has heard of the sources. A later source goes over an
// earlier one, flag by flag.
func New(defaults Defaults, log *slog.Logger, registerer prometheus.Registerer, sources ...Source) *Set {
	s := &Set{
		defaults: maps.Clone(defaults), sources: sources, api: isolated.NewAPI(),
		provider: memprovider.NewInMemoryProvider(variants(defaults)),
		metrics:  newMetrics(registerer, sources), log: log.With(telemetry.KeyComponent, "flags"),
		inForce: maps.Clone(defaults), accounts: make([]account, len(sources)),
	}
	s.client = s.api.NewClient() // until there is a provider it answers with the defaults
	s.metrics.show(defaults)
	return s
}

// On tells whether the feature is on. A flag that the service does not have is off.
func (s *Set) On(ctx context.Context, flag string) bool {
	return s.client.Boolean(ctx, flag, s.defaults[flag], openfeature.EvaluationContext{})
}

// Run follows the sources until the context ends.
func (s *Set) Run(ctx context.Context) error {
	if err := s.api.SetProviderAndWait(ctx, s.provider); err != nil {
		return fmt.Errorf("begin with feature flags: %w", err)
	}
	defer func() { _ = s.api.Shutdown(context.WithoutCancel(ctx)) }() // it ends the provider's goroutines, and has nothing else that could fail
	var wait sync.WaitGroup
	for i, source := range s.sources {
		wait.Go(func() { source.Follow(ctx, func(r Reading) { s.take(ctx, i, r) }) })
	}
	wait.Wait()
	return nil
}

// take sets the flags anew. What cannot be read, or has mistakes, changes nothing.
func (s *Set) take(ctx context.Context, source int, r Reading) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, name := &s.accounts[source], s.sources[source].Name
	was := a.trouble
	outcome := a.hear(r)
	if outcome == outcomeSame {
		return
	}
	s.metrics.reads.WithLabelValues(name, string(outcome)).Inc()
	switch outcome {
	case outcomeFailed:
		if was == nil { // texts of errors differ each time: one line tells of all until it is well
			s.log.WarnContext(ctx, "Flags cannot be read now; going on with the last good ones", "source", name, telemetry.KeyError, a.trouble)
		}
	case outcomeRefused:
		s.log.ErrorContext(ctx, "Flags have mistakes now; going on with the last good ones", "source", name, telemetry.KeyError, a.trouble)
	case outcomeTaken:
		if was != nil {
			s.log.InfoContext(ctx, "Flags are good again", "source", name)
		}
		s.tellUnknown(ctx, name, a.flags)
		s.adopt(ctx)
	}
}

// tellUnknown is for whoever mistyped a name. Sources may be shared by services of which each has other flags.
func (s *Set) tellUnknown(ctx context.Context, source string, flags map[string]bool) {
	var unknown []string
	for _, name := range slices.Sorted(maps.Keys(flags)) {
		if _, ok := s.defaults[name]; !ok {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) > 0 {
		s.log.InfoContext(ctx, "Flags are set that this service does not have", "source", source, "flags", strings.Join(unknown, ", "))
	}
}

// adopt puts the last good flags of all sources in force.
func (s *Set) adopt(ctx context.Context) {
	next := maps.Clone(s.defaults)
	for name := range next {
		for _, a := range s.accounts {
			if on, ok := a.flags[name]; ok {
				next[name] = on
			}
		}
	}
	if maps.Equal(s.inForce, next) {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(next)) {
		if next[name] != s.inForce[name] {
			s.log.InfoContext(ctx, "Flag changed", "flag", name, "on", next[name])
		}
	}
	s.inForce = next
	s.provider.UpdateFlags(variants(next))
	s.metrics.show(next)
}

// variants are flags as the provider wants them.
func variants(flags map[string]bool) map[string]memprovider.InMemoryFlag {
	all := make(map[string]memprovider.InMemoryFlag, len(flags))
	for name, on := range flags {
		variant := "off"
		if on {
			variant = "on"
		}
		all[name] = memprovider.InMemoryFlag{
			Key: name, State: memprovider.Enabled, DefaultVariant: variant, Variants: map[string]any{"on": true, "off": false},
		}
	}
	return all
}
