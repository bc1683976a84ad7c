//go:build chart

package chart

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

func operatorRules(t *testing.T, kind string, args ...string) []rbacv1.PolicyRule {
	t.Helper()
	var role rbacv1.ClusterRole
	object := find(t, rendered(t, args...), kind, release)
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &role); err != nil {
		t.Fatal(err)
	}
	if len(role.Rules) == 0 {
		t.Fatalf("%s %s has no rules", kind, release)
	}
	return role.Rules
}

func TestOperatorMayNoMoreThanItNeeds(t *testing.T) {
	for _, rule := range operatorRules(t, "ClusterRole") {
		for _, list := range [][]string{rule.APIGroups, rule.Resources, rule.Verbs} {
			if slices.Contains(list, "*") {
				t.Errorf("rule %v has a wildcard", rule)
			}
		}
		if slices.Contains(rule.Resources, "secrets") && !cmp.Equal(rule.Verbs, []string{"create", "get", "update"}) {
			t.Errorf("verbs on secrets = %v, want create, get and update: a Secret is read by name, never listed, and keys of tokens are made", rule.Verbs)
		}
		for _, forbidden := range []string{"roles", "rolebindings", "clusterroles", "clusterrolebindings", "serviceaccounts/token", "pods/exec", "nodes"} {
			if slices.Contains(rule.Resources, forbidden) {
				t.Errorf("rule %v reaches %s, by which the operator could gain more", rule, forbidden)
			}
		}
		if len(rule.NonResourceURLs) > 0 {
			t.Errorf("rule %v speaks of URLs", rule)
		}
	}
}

func TestRolesInNamespacesAllowWhatTheClusterRoleAllows(t *testing.T) {
	everywhere := operatorRules(t, "ClusterRole")
	inOne := operatorRules(t, "Role", "--set", "watchNamespaces={movies}")
	if diff := cmp.Diff(everywhere, inOne); diff != "" {
		t.Errorf("rules (-ClusterRole +Role):\n%s", diff)
	}
}
