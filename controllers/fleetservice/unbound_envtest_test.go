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
)

// held names the config entries and instances that Consul holds.
func held(t *testing.T, client *api.Client) []string {
	t.Helper()
	var found []string
	for _, kind := range []string{api.ServiceSplitter, api.ServiceResolver, api.ServiceDefaults} {
		entries, _, err := client.ConfigEntries().List(kind, nil)
		if err != nil {
			t.Fatalf("list %s: %v", kind, err)
		}
		for _, e := range entries {
			found = append(found, kind+" "+e.GetName())
		}
	}
	services, _, err := client.Catalog().Services(nil)
	if err != nil {
		t.Fatalf("list the catalog: %v", err)
	}
	for name := range services {
		if name != "consul" {
			found = append(found, "instance "+name)
		}
	}
	slices.Sort(found)
	return found
}

func entriesOf(name string) []string {
	return []string{"service-defaults " + name, "service-resolver " + name, "service-splitter " + name}
}

// TestConsulUnbound: a service that is bound to Consul no more leaves nothing there, and touches nothing of others.
func TestConsulUnbound(t *testing.T) {
	s := newStage(t)
	consul := parts.StartConsul(t)
	client := consul.Client(t)
	name := s.namespace + "-rating"
	s.bindConsul(consul.Port)
	s.install(through("rating:v1"))
	s.serving("rating:v1")
	for service, meta := range map[string]map[string]string{
		name:    {"podUID": "00000000-0000-0000-0000-000000000000", "namespace": s.namespace}, // its pod was killed
		"other": {},
	} {
		if err := client.Agent().ServiceRegister(&api.AgentServiceRegistration{ID: service, Name: service, Meta: meta}); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := client.ConfigEntries().Set(&api.ServiceConfigEntry{Kind: api.ServiceDefaults, Name: "other", Protocol: "http"}, nil); err != nil {
		t.Fatal(err)
	}
	s.secret("registry", map[string]string{"type": "consul", "host": "localhost", "port": strconv.Itoa(consul.Port)})

	t.Run("by another Secret to the same Consul", func(*testing.T) {
		s.change(strings.Replace(through("rating:v1"), "name: consul", "name: registry", 1))
		s.until("the new Secret", func(fs *v1alpha1.FleetService) bool {
			return fs.Status.Phase == "Serving" && slices.Equal(fs.Status.Consul, []v1alpha1.ConsulRegistration{{Name: name, SecretName: "registry"}})
		})
		for _, want := range entriesOf(name) {
			if got := held(t, client); !slices.Contains(got, want) {
				t.Errorf("Consul holds %q, want %s left alone", got, want)
			}
		}
	})
	t.Run("by another name", func(*testing.T) {
		s.change(strings.TrimSuffix(through("rating:v1"), "}") + `, consulName: stars}`)
		want := append(entriesOf("stars"), "instance other", "service-defaults other")
		slices.Sort(want)
		s.until("stars alone", func(*v1alpha1.FleetService) bool { return slices.Equal(held(t, client), want) })
	})
	t.Run("not at all", func(*testing.T) {
		s.change(v2)
		s.serving("rating:v2")
		fs := s.until("only what is another's", func(fs *v1alpha1.FleetService) bool {
			return slices.Equal(held(t, client), []string{"instance other", "service-defaults other"})
		})
		s.until("status without Consul", func(fs *v1alpha1.FleetService) bool { return len(fs.Status.Consul) == 0 })
		s.wantCondition(fs, v1alpha1.ConditionReady, "True Serving")
		s.wantQuiet("unbound")
	})
}

// TestConsulUnboundWhileAway: a Consul that cannot be asked any more is done without, and that is told once.
func TestConsulUnboundWhileAway(t *testing.T) {
	s := newStage(t)
	consul := parts.StartConsul(t)
	s.bindConsul(consul.Port)
	s.install(through("rating:v1"))
	s.serving("rating:v1")
	consul.Stop(t)
	if err := s.c.Delete(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "consul"}}); err != nil {
		t.Fatal(err)
	}
	s.change(v2)
	s.wantCondition(s.serving("rating:v2"), v1alpha1.ConditionReady, "True Serving")
	s.until("the end of trying", func(fs *v1alpha1.FleetService) bool { return len(fs.Status.Consul) == 0 })
	told := s.told("ConsulEntriesKept")
	if len(told) != 1 || !strings.Contains(told[0], "bound to Consul by Secret consul no more") || !strings.Contains(told[0], "connection refused") {
		t.Errorf("events = %q, want one that says what is left in Consul and why", told)
	}
	s.wantQuiet("without Consul")
}
