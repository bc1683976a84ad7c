//go:build envtest

package fleetservice_test

import (
	"strings"
	"testing"

	"movieexample.com/fleet/api/v1alpha1"
)

// TestGatewayAPINotInstalled: the service serves inside the cluster, and says what keeps it from serving outside.
func TestGatewayAPINotInstalled(t *testing.T) {
	s := newStage(t)
	s.install(`{image: "rating:v1", replicas: 2, drainSeconds: 5, traffic: {northSouth: Gateway, gateway: {parentRefs: [{name: edge}], pathPrefixes: [/v1]}}}`)
	fs := s.until("the refusal told", func(fs *v1alpha1.FleetService) bool {
		return strings.HasPrefix(condition(fs, v1alpha1.ConditionStalled), "True TrafficRefused")
	})
	s.wantCondition(fs, v1alpha1.ConditionReady, "False TrafficRefused: the Gateway API is not installed", "set traffic.northSouth to None")
	if got := s.world.selected("rating"); got != "rating:v1" {
		t.Errorf("the Service object selects %s, want rating:v1", got)
	}
	s.wantQuiet("while nobody acts")
	s.change(v1)
	s.serving("rating:v1")
}
