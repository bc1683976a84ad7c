package consul

import (
	"context"
	"fmt"

	"github.com/hashicorp/consul/api"

	"movieexample.com/fleet/services/internal/discovery"
)

const (
	ttl             = "5s" // five reports of a second
	deregisterAfter = "1m" // the shortest that Consul knows
	// The texts are constants: Consul writes a check to its catalogue only if its text or status has changed.
	passing  = "The instance reports that it is ready."
	critical = "The instance reports that it is not ready."
)

// Names of the facts in an instance's meta, which the operator's filters and garbage collection read.
const (
	metaRevision  = "revision"
	metaPodUID    = "podUID"
	metaNamespace = "namespace"
	metaApp       = "app"
)

// Registry is the registry in Consul. Close it when nothing uses it any more.
type Registry struct {
	writes *agent
	reads  *agent
}

var _ discovery.Registry = (*Registry)(nil)

// New reads the binding at the first use: Consul may be away until then.
func New(read ReadBinding) *Registry {
	return &Registry{writes: &agent{read: read}, reads: &agent{read: read}}
}

// Close drops idle connections.
func (r *Registry) Close() {
	r.writes.close()
	r.reads.close()
}

// Use calls f with a client of the agent that the registry writes to.
func (r *Registry) Use(ctx context.Context, f func(*api.Client) error) error { return r.writes.use(ctx, f) }

// Register implements [discovery.Registrar].
func (r *Registry) Register(ctx context.Context, service string, i discovery.Instance) error {
	registration := &api.AgentServiceRegistration{
		ID: i.ID, Name: service, Address: i.Host, Port: i.Port,
		Meta: meta(i),
		Check: &api.AgentServiceCheck{
			TTL: ttl, Status: api.HealthPassing, DeregisterCriticalServiceAfter: deregisterAfter,
		},
	}
	err := r.writes.use(ctx, func(c *api.Client) error {
		return c.Agent().ServiceRegisterOpts(registration, api.ServiceRegisterOpts{ReplaceExistingChecks: true}.WithContext(ctx))
	})
	if err != nil {
		return fmt.Errorf("registering in Consul: %w", err)
	}
	return nil
}

func meta(i discovery.Instance) map[string]string {
	m := map[string]string{}
	for key, value := range map[string]string{
		metaRevision: i.Revision, metaPodUID: i.PodUID, metaNamespace: i.Namespace, metaApp: i.App,
	} {
		if value != "" {
			m[key] = value
		}
	}
	return m
}

// Deregister implements [discovery.Registrar].
func (r *Registry) Deregister(ctx context.Context, _, id string) error {
	err := r.writes.use(ctx, func(c *api.Client) error {
		return c.Agent().ServiceDeregisterOpts(id, (&api.QueryOptions{}).WithContext(ctx))
	})
	if err != nil && !forgotten(err) {
		return fmt.Errorf("deregistering in Consul: %w", err)
	}
	return nil
}

// ReportHealthy implements [discovery.Registrar].
func (r *Registry) ReportHealthy(ctx context.Context, _, id string, healthy bool) error {
	status, text := api.HealthPassing, passing
	if !healthy {
		status, text = api.HealthCritical, critical
	}
	err := r.writes.use(ctx, func(c *api.Client) error {
		return c.Agent().UpdateTTLOpts("service:"+id, text, status, (&api.QueryOptions{}).WithContext(ctx))
	})
	if forgotten(err) {
		return fmt.Errorf("%w: %w", discovery.ErrUnknownInstance, err)
	}
	if err != nil {
		return fmt.Errorf("reporting to Consul: %w", err)
	}
	return nil
}
