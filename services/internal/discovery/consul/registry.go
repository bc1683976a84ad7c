package consul

import (
	"context"
	"fmt"
	"sync"

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

	mu         sync.Mutex
	registered map[string]registration // by the instance's ID
}

// registration is what an agent was told, and with which token. The agent keeps that token and tells the servers of the
// instance with it: of a check that fails, and of the end. Once the token is gone, callers would hear of neither.
type registration struct {
	service *api.AgentServiceRegistration
	token   string
}

var _ discovery.Registry = (*Registry)(nil)

// New reads the binding at the first use: Consul may be away until then.
func New(read ReadBinding) *Registry {
	return &Registry{writes: &agent{read: read}, reads: &agent{read: read}, registered: map[string]registration{}}
}

// Close drops idle connections.
func (r *Registry) Close() {
	r.writes.close()
	r.reads.close()
}

// Use calls f with a client of the agent that the registry writes to.
func (r *Registry) Use(ctx context.Context, f func(*api.Client) error) error {
	return r.writes.use(ctx, f)
}

// Register implements [discovery.Registrar].
func (r *Registry) Register(ctx context.Context, service string, i discovery.Instance) error {
	definition := &api.AgentServiceRegistration{
		ID: i.ID, Name: service, Address: i.Host, Port: i.Port,
		Meta: meta(i),
		Check: &api.AgentServiceCheck{
			TTL: ttl, Status: api.HealthPassing, DeregisterCriticalServiceAfter: deregisterAfter,
		},
	}
	err := r.writes.use(ctx, func(c *api.Client) error { return r.register(ctx, c, definition) })
	if err != nil {
		return fmt.Errorf("registering in Consul: %w", err)
	}
	return nil
}

func (r *Registry) register(ctx context.Context, c *api.Client, definition *api.AgentServiceRegistration) error {
	err := c.Agent().ServiceRegisterOpts(definition, api.ServiceRegisterOpts{ReplaceExistingChecks: true}.WithContext(ctx))
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.registered[definition.ID] = registration{service: definition, token: r.writes.tokenOf(c)}
	return nil
}

// renew registers the instance anew, with its status as it is, if the token has changed since.
func (r *Registry) renew(ctx context.Context, c *api.Client, id, status string) error {
	r.mu.Lock()
	known, ok := r.registered[id]
	r.mu.Unlock()
	if !ok || known.token == r.writes.tokenOf(c) {
		return nil
	}
	definition, check := *known.service, *known.service.Check
	check.Status = status
	definition.Check = &check
	return r.register(ctx, c, &definition)
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
		if err := r.renew(ctx, c, id, api.HealthCritical); err != nil {
			return err
		}
		return c.Agent().ServiceDeregisterOpts(id, (&api.QueryOptions{}).WithContext(ctx))
	})
	if err != nil && !forgotten(err) {
		return fmt.Errorf("deregistering in Consul: %w", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.registered, id)
	return nil
}

// ReportHealthy implements [discovery.Registrar].
func (r *Registry) ReportHealthy(ctx context.Context, _, id string, healthy bool) error {
	status, text := api.HealthPassing, passing
	if !healthy {
		status, text = api.HealthCritical, critical
	}
	err := r.writes.use(ctx, func(c *api.Client) error {
		if err := r.renew(ctx, c, id, status); err != nil {
			return err
		}
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
