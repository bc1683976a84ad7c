package traffic

import (
	"context"
	"errors"
	"fmt"

	"github.com/hashicorp/consul/api"

	"movieexample.com/fleet/controllers/internal/bindings"
)

// The facts in an instance's meta by which its pod is known, as the fleet's services write them.
const (
	metaNamespace = "namespace"
	metaPodUID    = "podUID"
)

// nodeAlive is the check of a node by Consul's gossip: it passes while the node's agent lives.
const nodeAlive = "serfHealth"

// Gone tells for certain whether a pod with this UID is not there any more.
type Gone func(ctx context.Context, pod, uid string) (bool, error)

// Deregister takes the instances of the service whose pods are gone out of the registry, and names them. Pods in live are
// not asked about; gone is asked about every other one, so that a cache that lags behind never takes out an instance that
// has just come.
func (c *Consul) Deregister(ctx context.Context, t Target, live map[string]bool, gone Gone) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	a, err := c.connect(t)
	if err != nil {
		return nil, err
	}
	name := t.name()
	instances, _, err := a.client.Health().Service(name, "", false, (&api.QueryOptions{}).WithContext(ctx))
	if err != nil {
		return nil, a.failed("list the instances of", name, name, err)
	}
	var left []string
	var failures []error
	for _, i := range instances {
		uid := i.Service.Meta[metaPodUID]
		if uid == "" || live[uid] || i.Service.Meta[metaNamespace] != t.Service.Namespace {
			continue
		}
		is, err := gone(ctx, i.Service.ID, uid)
		if err == nil && !is {
			continue
		}
		if err == nil {
			err = c.leave(ctx, a, i)
		}
		if err != nil {
			failures = append(failures, err)
			continue
		}
		left = append(left, i.Service.ID)
	}
	return left, errors.Join(failures...)
}

// leave takes an instance out at the agent that holds it: what is only taken out of the catalog comes back with the
// agent's next report. Only where that agent is gone, or has forgotten the instance, is the catalog told.
func (c *Consul) leave(ctx context.Context, a agent, i *api.ServiceEntry) error {
	done, err := a.deregister(ctx, i)
	if done || err != nil {
		return err
	}
	if alive(i) {
		holder, err := c.connectTo(bindings.Consul{Scheme: a.at.Scheme, Host: i.Node.Address, Port: a.at.Port, Token: a.at.Token})
		if err != nil {
			return err
		}
		if done, err = holder.deregister(ctx, i); done || err != nil {
			return err
		}
	}
	_, err = a.client.Catalog().Deregister(&api.CatalogDeregistration{Node: i.Node.Node, ServiceID: i.Service.ID}, (&api.WriteOptions{}).WithContext(ctx))
	if err != nil {
		return a.failed("take out of the catalog", i.Service.ID, i.Service.Service, err)
	}
	return nil
}

// deregister takes an instance out where the agent holds it. The UID tells: another pod may have its name.
func (a agent) deregister(ctx context.Context, i *api.ServiceEntry) (bool, error) {
	ask := (&api.QueryOptions{}).WithContext(ctx)
	held, _, err := a.client.Agent().Service(i.Service.ID, ask)
	if err == nil && held.Meta[metaPodUID] == i.Service.Meta[metaPodUID] {
		err = a.client.Agent().ServiceDeregisterOpts(i.Service.ID, ask)
		if err == nil {
			return true, nil
		}
	}
	if err == nil || unknown(err) {
		return false, nil
	}
	return false, fmt.Errorf("the entry of pod %s, which is gone: %w", i.Service.ID, a.failed("deregister", i.Service.ID, i.Service.Service, err))
}

func alive(i *api.ServiceEntry) bool {
	for _, check := range i.Checks {
		if check.CheckID == nodeAlive {
			return check.Status == api.HealthPassing
		}
	}
	return false
}
