//go:build integration

package consul_test

import (
	"fmt"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"movieexample.com/fleet/services/internal/binding"
	"movieexample.com/fleet/services/internal/discovery/consul"
	"movieexample.com/fleet/services/internal/discovery/discoverytest"
	"movieexample.com/fleet/test/parts"
	"movieexample.com/fleet/test/ports"
)

// ownRules let the tests' service register, and nothing else.
const ownRules = `service "` + service + `" {policy = "write"} node_prefix "" {policy = "read"}`

func TestATokenIsRotatedUnderLoad(t *testing.T) {
	server := parts.StartConsulWithACLs(t)
	admin := server.Manager
	first, second := server.Grant(t, "rating", ownRules), server.Grant(t, "rating", ownRules)
	dir := filepath.Join(t.TempDir(), "consul")
	keys := server.Keys(first)
	parts.MountBinding(t, dir, keys)
	r := consul.New(func() (binding.Consul, error) { return binding.ReadConsul(dir) })
	t.Cleanup(r.Close)

	announce(t, r, discoverytest.StartInstance(t, "a", "v1").Instance)
	conn := discoverytest.Dial(t, r, service)
	discoverytest.Eventually(t, "the instance answers", func() bool {
		_, err := discoverytest.Call(t.Context(), conn)
		return err == nil
	})
	load := discoverytest.StartLoad(t, conn)
	quiet := consul.New(func() (binding.Consul, error) { return binding.ReadConsul(dir) })
	t.Cleanup(quiet.Close)
	silent := discoverytest.StartInstance(t, "c", "v1").Instance
	if err := quiet.Register(t.Context(), service, silent); err != nil {
		t.Fatal(err)
	}

	keys["token"] = second.SecretID
	parts.MountBinding(t, dir, keys)
	if _, err := admin.ACL().TokenDelete(first.AccessorID, nil); err != nil { // sooner than it ought to be
		t.Fatal(err)
	}
	if err := quiet.ReportHealthy(t.Context(), service, silent.ID, true); err != nil {
		t.Errorf("the first report after the rotation = %v, want no error", err)
	}
	if err := quiet.Deregister(t.Context(), service, silent.ID); err != nil {
		t.Errorf("Deregister() after the rotation = %v, want no error", err)
	}
	time.Sleep(7 * time.Second) // longer than a report may be late: the token deleted would lose the registration
	discoverytest.Eventually(t, "the instance is healthy after the rotation", func() bool { return passing(admin) == 1 })
	announce(t, r, discoverytest.StartInstance(t, "b", "v2").Instance)
	discoverytest.Eventually(t, "callers hear of an instance that came after the rotation", func() bool { return !load.Last("v2").IsZero() })
	load.WantNoFailure(t)
}

func TestATokenOfNothingIsRefusedAndMended(t *testing.T) {
	server := parts.StartConsulWithACLs(t)
	admin := server.Manager
	dir := filepath.Join(t.TempDir(), "consul")
	keys := server.Keys(&api.ACLToken{SecretID: "99999999-2222-3333-4444-555555555555"})
	parts.MountBinding(t, dir, keys)
	r := consul.New(func() (binding.Consul, error) { return binding.ReadConsul(dir) })
	t.Cleanup(r.Close)
	announce(t, r, discoverytest.StartInstance(t, "a", "v1").Instance)
	time.Sleep(2 * time.Second) // two attempts
	if got := passing(admin); got != 0 {
		t.Fatalf("%d instances registered with a token that does not exist, want 0", got)
	}
	keys["token"] = server.Grant(t, "rating", ownRules).SecretID
	parts.MountBinding(t, dir, keys)
	discoverytest.Eventually(t, "the instance is registered with the token that exists", func() bool { return passing(admin) == 1 })
}

func TestTLSToConsul(t *testing.T) {
	ours, other := parts.NewAuthority(t), parts.NewAuthority(t)
	pair := ours.Leaf(t, "")
	files := t.TempDir()
	parts.WriteBinding(t, files, map[string]string{"crt": string(pair.Certificate), "key": string(pair.Key), "ca": string(ours.Certificate())})
	port := ports.Free(t)
	server := parts.StartConsul(t, "-https-port="+strconv.Itoa(port),
		fmt.Sprintf(`-hcl=tls { https { ca_file = "%[1]s/ca" cert_file = "%[1]s/crt" key_file = "%[1]s/key" } }`, files))
	dir := filepath.Join(t.TempDir(), "consul")
	keys := map[string]string{"type": "consul", "host": "127.0.0.1", "port": strconv.Itoa(port), "ca.crt": string(other.Certificate())}
	parts.MountBinding(t, dir, keys)
	r := consul.New(func() (binding.Consul, error) { return binding.ReadConsul(dir) })
	t.Cleanup(r.Close)
	instance := discoverytest.StartInstance(t, "a", "v1").Instance
	if err := r.Register(t.Context(), service, instance); err == nil {
		t.Error("Register() at a server of another authority = no error, want one")
	}
	keys["ca.crt"] = string(ours.Certificate())
	parts.MountBinding(t, dir, keys)
	if err := r.Register(t.Context(), service, instance); err != nil {
		t.Errorf("Register() over TLS = %v, want no error", err)
	}
	if got := passing(server.Client(t)); got != 1 {
		t.Errorf("%d instances registered, want 1", got)
	}
}
