package traffic_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"movieexample.com/fleet/controllers/fleetservice/traffic"
)

func TestRevisions(t *testing.T) {
	for name, test := range map[string]struct{ hashes, want []string }{
		"none":           {nil, nil},
		"in order":       {[]string{"b", "a"}, []string{"a", "b"}},
		"each once":      {[]string{"b", "a", "b"}, []string{"a", "b"}},
		"no empty parts": {[]string{"", "b", "", "a"}, []string{"a", "b"}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, traffic.Revisions(test.hashes...)); diff != "" {
				t.Errorf("Revisions(%q) (-want +got):\n%s", test.hashes, diff)
			}
		})
	}
}
