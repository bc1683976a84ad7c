package revision_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"movieexample.com/fleet/controllers/fleetservice/revision"
)

func TestResources(t *testing.T) {
	for name, test := range map[string]struct{ spec, want string }{
		"defaults":                      {``, `{"limits":{"memory":"256Mi"},"requests":{"cpu":"50m","memory":"64Mi"}}`},
		"requests only":                 {`"requests":{"cpu":"1"}`, `{"limits":{"memory":"256Mi"},"requests":{"cpu":"1"}}`},
		"limits only":                   {`"limits":{"memory":"1Gi"}`, `{"limits":{"memory":"1Gi"},"requests":{"cpu":"50m","memory":"64Mi"}}`},
		"both":                          {`"requests":{"cpu":"1"},"limits":{"cpu":"2"}`, `{"limits":{"cpu":"2"},"requests":{"cpu":"1"}}`},
		"request above default limit":   {`"requests":{"memory":"1Gi"}`, `{"limits":{"memory":"1Gi"},"requests":{"memory":"1Gi"}}`},
		"limit below default requests":  {`"limits":{"memory":"32Mi","cpu":"10m"}`, `{"limits":{"cpu":"10m","memory":"32Mi"},"requests":{"cpu":"10m","memory":"32Mi"}}`},
		"mistake written out is passed": {`"requests":{"memory":"2Gi"},"limits":{"memory":"1Gi"}`, `{"limits":{"memory":"1Gi"},"requests":{"memory":"2Gi"}}`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := json.Marshal(revision.Resources(&service(t, `{`+image+`,"resources":{`+test.spec+`}}`).Spec))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, string(got)); diff != "" {
				t.Errorf("Resources({%s}) (-want +got):\n%s", test.spec, diff)
			}
		})
	}
}
