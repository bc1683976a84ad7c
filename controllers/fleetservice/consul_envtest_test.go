//go:build envtest

package fleetservice_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/hashicorp/consul/api"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/test/parts"
	"movieexample.com/fleet/test/ports"
)

// through is a spec with Consul.
func through(image string) string {
	return `{image: "` + image + `", replicas: 2, drainSeconds: 5, bindings: {consul: {secretRef: {name: consul}}}}`
}

func (s *stage) bindConsul(port int) {
	s.t.Helper()
	s.secret("consul", map[string]string{"type": "consul", "host": "127.0.0.1", "port": strconv.Itoa(port)})
}

// wantStill lets everybody act for a while and checks that neither pods nor traffic move.
func (s *stage) wantStill(images ...string) {
	s.t.Helper()
	for range 30 {
		s.step()
		if got := s.world.selected("rating"); got != "rating:v1" || !slices.Equal(s.world.images(), images) {
			s.t.Fatalf("%q run and the Service object selects %s, want %q and rating:v1 while Consul cannot be told", s.world.images(), got, images)
		}
	}
}

func unavailable(fs *v1alpha1.FleetService) bool {
	return strings.HasPrefix(condition(fs, v1alpha1.ConditionReady), "False DiscoveryUnavailable")
}

// TestConsulNobodyListens adds Consul at an address where nobody listens: no revision starts that nobody could be kept from.
func TestConsulNobodyListens(t *testing.T) {
	s := newStage(t)
	port := ports.Free(t)
	s.bindConsul(port)
	s.install(v1)
	s.serving("rating:v1")
	s.change(through("rating:v2"))
	s.wantCondition(s.until("Consul missed", unavailable), v1alpha1.ConditionReady, "False DiscoveryUnavailable",
		"consul at http://127.0.0.1:"+strconv.Itoa(port), "connection refused")
	s.wantStill("rating:v1 ×2")
	s.wantQuiet("Consul away")
	s.restart = true
	s.change(v2) // without Consul after all
	s.serving("rating:v2")
}

// TestConsulOutage takes a real Consul away in the middle of an update.
func TestConsulOutage(t *testing.T) {
	s := newStage(t)
	consul := parts.StartConsul(t)
	client := consul.Client(t)
	name := s.namespace + "-rating"
	resolver := func() *api.ServiceResolverConfigEntry {
		t.Helper()
		entry, _, err := client.ConfigEntries().Get(api.ServiceResolver, name, nil)
		if err != nil {
			t.Fatalf("get the service-resolver: %v", err)
		}
		return entry.(*api.ServiceResolverConfigEntry)
	}
	s.bindConsul(consul.Port)
	s.install(through("rating:v1"))
	fs := s.serving("rating:v1")
	if got := resolver(); got.DefaultSubset != fs.Status.Stable.Hash || fs.Status.Traffic.Through != "Consul and the Service object" {
		t.Errorf("Consul sends callers to %q, status says %q through %q", got.DefaultSubset, fs.Status.Stable.Hash, fs.Status.Traffic.Through)
	}
	s.wantQuiet("serving through Consul")

	both := []string{"rating:v1 ×2", "rating:v2 ×2"}
	s.change(through("rating:v2"))
	s.until("both revisions", func(*v1alpha1.FleetService) bool { return slices.Equal(s.world.images(), both) })
	if got := resolver(); got.DefaultSubset != fs.Status.Stable.Hash {
		t.Errorf("service-resolver = %+v before the switch, want %s", got, fs.Status.Stable.Hash)
	}
	consul.Stop(t)
	s.until("Consul missed", unavailable)
	s.wantStill(both...)
	s.wantQuiet("Consul away in the middle of an update")

	if err := s.c.Delete(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "consul"}}); err != nil {
		t.Fatal(err)
	}
	s.until("the loss of the Secret told", func(fs *v1alpha1.FleetService) bool {
		return strings.HasPrefix(condition(fs, v1alpha1.ConditionBindingsReady), "False ")
	})
	s.wantStill(both...)
	s.restart = true // a new process never knew where Consul was
	s.wantStill(both...)

	consul.Start(t) // empty: it lost what it knew
	s.bindConsul(consul.Port)
	fs = s.serving("rating:v2")
	s.until("v1 gone, in Consul too", func(*v1alpha1.FleetService) bool {
		return slices.Equal(s.world.images(), []string{"rating:v2 ×2"}) && len(resolver().Subsets) == 1
	})
	if got := resolver(); got.DefaultSubset != fs.Status.Stable.Hash {
		t.Errorf("service-resolver = %+v after the outage, want %s alone", got, fs.Status.Stable.Hash)
	}

	s.delete()
	for range 5 {
		s.step()
	}
	if entries, _, err := client.ConfigEntries().List(api.ServiceResolver, nil); err != nil || !s.gone() || len(entries) != 0 {
		t.Errorf("after the deletion Consul holds %v (%v) and the service is gone: %v", entries, err, s.gone())
	}
}

// TestConsulOutageDuringATakeBack: what Consul cannot be told keeps nothing else from being told.
func TestConsulOutageDuringATakeBack(t *testing.T) {
	s := newStage(t)
	consul := parts.StartConsul(t)
	s.bindConsul(consul.Port)
	spec := func(image string) string {
		return strings.TrimSuffix(through(image), "}") + `, rollout: {steps: [20], bake: 4s}}`
	}
	s.install(spec("rating:v1"))
	s.serving("rating:v1")
	s.change(spec("rating:v2"))
	canary := s.until("a share for v2", func(fs *v1alpha1.FleetService) bool {
		return fs.Status.Traffic.OtherPercent == 20
	}).Status.Canary.Hash
	if got := s.world.selected("rating-canary"); got != "rating:v2" {
		t.Fatalf("Service rating-canary selects %s, want rating:v2", got)
	}

	consul.Stop(t)
	fs := s.get()
	fs.Annotations = map[string]string{v1alpha1.AnnotationCommand: "abort@" + canary + "@1"}
	if err := s.c.Update(t.Context(), fs); err != nil {
		t.Fatal(err)
	}
	s.until("the other providers told", func(fs *v1alpha1.FleetService) bool {
		return fs.Status.Rejected != nil && s.world.selected("rating-canary") == "rating:v1"
	})
	s.step()
	fs = s.get()
	s.wantCondition(fs, v1alpha1.ConditionStalled, "True TakenBack", canary+" may still have requests by a way that cannot be changed until Consul answers again", "connection refused")
	s.wantCondition(fs, v1alpha1.ConditionRolledBack, "True Aborted")
	s.wantStill("rating:v1 ×2", "rating:v2 ×2") // Consul's callers may still ask its pods

	consul.Start(t)
	s.until("v2 gone", func(*v1alpha1.FleetService) bool { return slices.Equal(s.world.images(), []string{"rating:v1 ×2"}) })
}
