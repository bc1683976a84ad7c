package revision_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"movieexample.com/fleet/api/v1alpha1"
)

// TestEveryFieldIsDecided fails for a field of the spec of which nobody said whether it makes a revision. A field that
// does gets lines in testdata/hashes.golden, one that does not a line in TestHashSame.
func TestEveryFieldIsDecided(t *testing.T) {
	decided := []string{
		// These make a revision.
		"image", "args", "env", "config", "storage", "resources", "ports", "bindings", "consulName", "scheduling",
		"drainSeconds", "podOverrides", "files", "featureFlags",
		// These restart nothing.
		"replicas", "autoscaling", "migrations", "ownership", "rollout", "objectives", "traffic", "signals", "deletionPolicy",
		"consumer",
	}
	fields := jsonNames(reflect.TypeFor[v1alpha1.FleetServiceSpec]())
	slices.Sort(decided)
	slices.Sort(fields)
	if diff := cmp.Diff(decided, fields); diff != "" {
		t.Errorf("fields of FleetServiceSpec (-decided +there):\n%s", diff)
	}
}

func jsonNames(of reflect.Type) []string {
	var names []string
	for field := range of.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name == "" {
			names = append(names, jsonNames(field.Type)...)
			continue
		}
		names = append(names, name)
	}
	return names
}
