package parts

import (
	"strconv"
	"testing"

	"github.com/hashicorp/consul/api"

	"movieexample.com/fleet/hack/cluster/policies"
)

// ManagementToken may do everything in a Consul with access control.
const ManagementToken = "11111111-2222-3333-4444-555555555555"

// GuardedConsul is a Consul that refuses whoever has no token.
type GuardedConsul struct {
	*Consul
	// Manager may do everything.
	Manager *api.Client
}

// StartConsulWithACLs is [StartConsul] with access control.
func StartConsulWithACLs(tb testing.TB) *GuardedConsul {
	tb.Helper()
	flag := `-hcl=acl { enabled = true default_policy = "deny" tokens { initial_management = "` + ManagementToken + `" } }`
	c := &GuardedConsul{Consul: startConsul(tb, ManagementToken, flag)}
	c.Manager = c.As(tb, ManagementToken)
	return c
}

// As is a client with a token.
func (c *GuardedConsul) As(tb testing.TB, token string) *api.Client {
	tb.Helper()
	return c.as(tb, token)
}

// Grant makes a token whose policy has these rules.
func (c *GuardedConsul) Grant(tb testing.TB, name, rules string) *api.ACLToken {
	tb.Helper()
	if _, _, err := c.Manager.ACL().PolicyReadByName(name, nil); err != nil {
		if _, _, err := c.Manager.ACL().PolicyCreate(&api.ACLPolicy{Name: name, Rules: rules}, nil); err != nil {
			tb.Fatal(err)
		}
	}
	token, _, err := c.Manager.ACL().TokenCreate(&api.ACLToken{Policies: []*api.ACLLink{{Name: name}}}, nil)
	if err != nil {
		tb.Fatal(err)
	}
	return token
}

// Keys are what a binding to the server holds, for the owner of a token.
func (c *GuardedConsul) Keys(token *api.ACLToken) map[string]string {
	return map[string]string{"type": "consul", "host": "127.0.0.1", "port": strconv.Itoa(c.Port), "token": token.SecretID}
}

// ForService is a token as the local cluster gives it to a service, by its name in Consul.
func (c *GuardedConsul) ForService(tb testing.TB, name string) *api.ACLToken {
	tb.Helper()
	return c.Grant(tb, name, policies.Service(name))
}

// ForOperator is the operator's token for one namespace.
func (c *GuardedConsul) ForOperator(tb testing.TB, namespace string) *api.ACLToken {
	tb.Helper()
	return c.Grant(tb, "operator-"+namespace, policies.Operator(namespace))
}

// ForCaller is the token of whoever calls and has no name of its own.
func (c *GuardedConsul) ForCaller(tb testing.TB) *api.ACLToken {
	tb.Helper()
	return c.Grant(tb, "view", policies.View())
}
