//go:build envtest

package fleetservice_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/test/parts"
)

// TestConsulAdmin: against a real Consul with the rules of the local cluster, the operator works with its own token, which
// no pod sees, and a token that may not write is told of.
func TestConsulAdmin(t *testing.T) {
	s := newStage(t)
	consul := parts.StartConsulWithACLs(t)
	s.secret("consul", consul.Keys(consul.ForService(t, s.namespace+"-rating")))
	s.secret("admin", consul.Keys(consul.ForCaller(t)))
	administered := strings.Replace(through("rating:v1"), "consul: {", "consulAdmin: {secretRef: {name: admin}}, consul: {", 1)
	s.install(administered)
	s.until("the refusal told", func(fs *v1alpha1.FleetService) bool {
		return slices.ContainsFunc(fs.Status.Conditions, func(c metav1.Condition) bool { return strings.Contains(c.Message, "Permission denied") })
	})

	s.change(strings.Replace(administered, "name: admin", "name: operator", 1))
	s.secret("operator", consul.Keys(consul.ForOperator(t, s.namespace)))
	fs := s.serving("rating:v1")
	want := []v1alpha1.ConsulRegistration{{Name: s.namespace + "-rating", SecretName: "operator"}}
	if diff := cmp.Diff(want, fs.Status.Consul); diff != "" {
		t.Errorf("status.consul (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(entriesOf(s.namespace+"-rating"), held(t, consul.Manager)); diff != "" {
		t.Errorf("Consul holds (-want +got):\n%s", diff)
	}
	var deployments appsv1.DeploymentList
	s.world.list(&deployments)
	for _, d := range deployments.Items {
		var mounted []string
		for _, v := range d.Spec.Template.Spec.Volumes {
			if v.Secret != nil {
				mounted = append(mounted, v.Secret.SecretName)
			}
		}
		if diff := cmp.Diff([]string{"consul"}, mounted); diff != "" {
			t.Errorf("Secrets in the pods of %s (-want +got):\n%s", d.Name, diff)
		}
	}
	s.wantQuiet("with a token of its own")
}
