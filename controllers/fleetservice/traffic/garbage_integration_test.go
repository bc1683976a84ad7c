//go:build integration

package traffic_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/consul/api"

	"movieexample.com/fleet/controllers/fleetservice/traffic"
	"movieexample.com/fleet/test/parts"
	"movieexample.com/fleet/test/ports"
)

// register puts a pod's instance into the registry at an agent, as the fleet's services do.
func register(t *testing.T, client *api.Client, pod, uid, namespace string) {
	t.Helper()
	err := client.Agent().ServiceRegister(&api.AgentServiceRegistration{
		ID: pod, Name: name, Port: 8082, Meta: map[string]string{"podUID": uid, "namespace": namespace, "revision": "aaaa"},
		Check: &api.AgentServiceCheck{TTL: "1h", Status: api.HealthPassing},
	})
	if err != nil {
		t.Fatalf("register %s: %v", pod, err)
	}
}

// instances are pod and UID of what the catalog holds.
func instances(t *testing.T, client *api.Client) []string {
	t.Helper()
	list, _, err := client.Catalog().Service(name, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, i := range list {
		found = append(found, i.ServiceID+" "+i.ServiceMeta["podUID"])
	}
	slices.Sort(found)
	return found
}

// eventually waits for a part of Consul that follows another one.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !is(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s did not come within 30 s", what)
		}
	}
}

// asked records which pods were asked about, and says which of them are there after all.
type asked struct {
	pods  []string
	there map[string]bool
}

func (a *asked) gone(_ context.Context, pod, uid string) (bool, error) {
	a.pods = append(a.pods, pod)
	slices.Sort(a.pods)
	return !a.there[uid], nil
}

func TestGarbageLeaves(t *testing.T) {
	server := parts.StartConsul(t)
	client, consul, target := server.Client(t), traffic.NewConsul(), rating("movies", at(server.Port))
	register(t, client, "rating-live", "1", "movies")
	register(t, client, "rating-gone", "2", "movies")
	register(t, client, "rating-new", "3", "movies") // the cache of pods does not know it yet
	register(t, client, "rating-far", "4", "films")  // of another namespace
	register(t, client, "by-hand", "", "movies")     // not of a pod

	ask := &asked{there: map[string]bool{"3": true}}
	left, err := consul.Deregister(t.Context(), target, map[string]bool{"1": true}, ask.gone)
	if err != nil || !slices.Equal(left, []string{"rating-gone"}) {
		t.Errorf("Deregister = %q, %v, want rating-gone", left, err)
	}
	if diff := cmp.Diff([]string{"rating-gone", "rating-new"}, ask.pods); diff != "" {
		t.Errorf("pods asked about (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"by-hand ", "rating-far 4", "rating-live 1", "rating-new 3"}, instances(t, client)); diff != "" {
		t.Errorf("instances afterwards (-want +got):\n%s", diff)
	}
	if local, err := client.Agent().Services(); err != nil || local["rating-gone"] != nil {
		t.Errorf("the agent still holds %v (%v), and will bring it back", local["rating-gone"], err)
	}
}

func TestGarbageStaysWhereNobodyKnows(t *testing.T) {
	server := parts.StartConsul(t)
	client := server.Client(t)
	register(t, client, "rating-a", "1", "movies")
	away := errors.New("the API server does not answer")
	left, err := traffic.NewConsul().Deregister(t.Context(), rating("movies", at(server.Port)), nil, func(context.Context, string, string) (bool, error) { return false, away })
	if !errors.Is(err, away) || len(left) != 0 || len(instances(t, client)) != 1 {
		t.Errorf("Deregister = %q, %v with %q left, want nothing done", left, err, instances(t, client))
	}
}

// second is an agent on another address that listens at the server's port, as agents of a cluster do.
type second struct {
	client  *api.Client
	process *exec.Cmd
}

func startSecond(t *testing.T, server *parts.Consul) *second {
	t.Helper()
	const ip = "127.0.0.2"
	dir, gossip := t.TempDir(), ports.Free(t)
	program := os.Getenv(parts.ConsulEnv)
	if program == "" {
		program = "consul"
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close() })
	s := &second{process: exec.Command(program, "agent", "-data-dir="+dir, "-node=second", "-bind="+ip, "-client="+ip,
		"-http-port="+strconv.Itoa(server.Port), "-serf-lan-port="+strconv.Itoa(gossip), "-dns-port=-1", "-grpc-port=-1", "-grpc-tls-port=-1")}
	s.process.Stdout, s.process.Stderr = log, log
	s.process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.kill() })
	if s.client, err = api.NewClient(&api.Config{Address: fmt.Sprintf("%s:%d", ip, server.Port)}); err != nil {
		t.Fatal(err)
	}
	one := server.Client(t)
	eventually(t, "the second agent", func() bool { return one.Agent().Join(fmt.Sprintf("%s:%d", ip, gossip), false) == nil })
	eventually(t, "the second agent's server", func() bool {
		_, err := s.client.Status().Leader()
		return err == nil
	})
	return s
}

// kill ends the agent without a farewell.
func (s *second) kill() {
	_ = s.process.Process.Kill()
	_ = s.process.Wait() // it was killed, or had ended
}

func TestGarbageOfAnotherAgent(t *testing.T) {
	// As servers of a cluster do: one that is only for development takes an agent on a busy machine for dead.
	server := parts.StartConsul(t, "-hcl", `gossip_lan { gossip_interval = "200ms" probe_interval = "1s" probe_timeout = "500ms" suspicion_mult = 4 }`)
	client, consul, target := server.Client(t), traffic.NewConsul(), rating("movies", at(server.Port))
	other := startSecond(t, server)

	register(t, other.client, "rating-0", "old", "movies")
	register(t, client, "rating-0", "new", "movies") // another pod took the name
	eventually(t, "both instances", func() bool { return len(instances(t, client)) == 2 })
	left, err := consul.Deregister(t.Context(), target, map[string]bool{"new": true}, (&asked{}).gone)
	if err != nil || len(left) != 1 {
		t.Errorf("Deregister = %q, %v, want rating-0", left, err)
	}
	if local, err := other.client.Agent().Services(); err != nil || len(local) != 0 {
		t.Errorf("the agent that held it has %v (%v), want it gone there: it would come back", local, err)
	}
	if diff := cmp.Diff([]string{"rating-0 new"}, instances(t, client)); diff != "" {
		t.Errorf("instances afterwards (-want +got):\n%s", diff)
	}

	register(t, other.client, "rating-1", "lost", "movies")
	eventually(t, "the instance", func() bool { return len(instances(t, client)) == 2 })
	other.kill()
	eventually(t, "the loss of the agent noticed", func() bool {
		checks, _, err := client.Health().Node("second", nil)
		return err == nil && len(checks) > 0 && checks.AggregatedStatus() != api.HealthPassing
	})
	if left, err := consul.Deregister(t.Context(), target, map[string]bool{"new": true}, (&asked{}).gone); err != nil || len(left) != 1 {
		t.Errorf("Deregister at an agent that is gone = %q, %v, want rating-1", left, err)
	}
	if diff := cmp.Diff([]string{"rating-0 new"}, instances(t, client)); diff != "" {
		t.Errorf("instances after the loss of the agent (-want +got):\n%s", diff)
	}
}

// TestGarbageThatCannotBeReached: an agent that lives and does not answer keeps its entry, which would come back else.
func TestGarbageThatCannotBeReached(t *testing.T) {
	server := parts.StartConsul(t)
	client := server.Client(t)
	want := fmt.Sprintf("consul at http://127.0.0.3:%d: deregister rating-2: dial: connect: connection refused", server.Port)
	var left []string
	err := errors.New("not asked yet")
	// A leader that has just come forgets, once, nodes that it hears nothing of: then the node is written again.
	for try := 0; try < 5 && (err == nil || try == 0); try++ {
		_, registered := client.Catalog().Register(&api.CatalogRegistration{
			Node: "deaf", Address: "127.0.0.3",
			Service: &api.AgentService{ID: "rating-2", Service: name, Meta: map[string]string{"podUID": "2", "namespace": "movies"}},
			Check:   &api.AgentCheck{Node: "deaf", CheckID: "serfHealth", Status: api.HealthPassing},
		}, nil)
		if registered != nil {
			t.Fatal(registered)
		}
		left, err = traffic.NewConsul().Deregister(t.Context(), rating("movies", at(server.Port)), nil, (&asked{}).gone)
	}
	if err == nil || !strings.Contains(err.Error(), want) || len(left) != 0 {
		t.Errorf("Deregister = %q, %v, want %q", left, err, want)
	}
	if got := instances(t, client); len(got) != 1 {
		t.Errorf("instances = %q, want the entry still there", got)
	}
}
