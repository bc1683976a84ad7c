//go:build envtest

package fleetservice_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/consul/api"
	corev1 "k8s.io/api/core/v1"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/test/parts"
)

// TestRegistryForgetsPodsThatAreGone: an instance leaves Consul with its pod, though the pod could not say so.
func TestRegistryForgetsPodsThatAreGone(t *testing.T) {
	s := newStage(t)
	consul := parts.StartConsul(t)
	client := consul.Client(t)
	s.bindConsul(consul.Port)
	s.install(through("rating:v1"))
	s.serving("rating:v1")

	var pods corev1.PodList
	s.world.list(&pods)
	var want []string
	register := func(id, uid string) {
		t.Helper()
		instance := &api.AgentServiceRegistration{ID: id, Name: s.namespace + "-rating", Meta: map[string]string{"podUID": uid, "namespace": s.namespace}}
		if err := client.Agent().ServiceRegister(instance); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range pods.Items {
		register(p.Name, string(p.UID))
		want = append(want, p.Name)
	}
	register("rating-killed", "00000000-0000-0000-0000-000000000000")
	catalog := func() (ids []string) {
		t.Helper()
		instances, _, err := client.Catalog().Service(s.namespace+"-rating", "", nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range instances {
			ids = append(ids, i.ServiceID)
		}
		slices.Sort(ids)
		return ids
	}
	all := append(slices.Clone(want), "rating-killed")
	slices.Sort(want)
	slices.Sort(all)
	for deadline := time.Now().Add(30 * time.Second); !slices.Equal(catalog(), all); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) { // the agent tells its server in its own time
			t.Fatalf("instances in Consul = %q, want those that were registered: %q", catalog(), all)
		}
	}
	// What Consul does not take in time is tried again at the next look.
	s.until("the instance of no pod gone", func(*v1alpha1.FleetService) bool { return len(catalog()) < len(all) })
	if diff := cmp.Diff(want, catalog()); diff != "" || len(want) == 0 {
		t.Errorf("instances in Consul (-want +got):\n%s", diff)
	}
}
