package bindings_test

import (
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"

	"movieexample.com/fleet/controllers/internal/bindings"
)

// TestConsulAdminMissing: without its own Secret the operator does not take the service's instead; without the service's
// the service does not start.
func TestConsulAdminMissing(t *testing.T) {
	for name, tc := range map[string]struct {
		there, missing string
		used           bool
	}{
		"the operator's": {there: "own", missing: "admin"},
		"the service's":  {there: "admin", missing: "own", used: true},
	} {
		t.Run(name, func(t *testing.T) {
			r := bindings.NewReader(newAPI(t, secret(tc.there, wholeConsul)), clocktesting.NewFakePassiveClock(time.Unix(0, 0)))
			b := consul("own")
			b.ConsulAdmin = consul("admin").Consul
			report, err := r.Check(t.Context(), namespace, b)
			if err != nil {
				t.Fatalf("Check = error %v, want none", err)
			}
			if len(report.Problems) != 1 || report.Problems[0].Secret != tc.missing || report.Ready {
				t.Errorf("Check = ready %v, %+v, want one problem with Secret %s", report.Ready, report.Problems, tc.missing)
			}
			if got := report.Consul != nil; got != tc.used {
				t.Errorf("Check gives the operator %v, want something: %v", report.Consul, tc.used)
			}
		})
	}
}
