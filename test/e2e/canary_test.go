//go:build e2e

package e2e

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"movieexample.com/fleet/api/v1alpha1"
)

func seconds(n int) *metav1.Duration {
	return &metav1.Duration{Duration: time.Duration(n) * time.Second}
}

// TestCanary gives a service releases under load: one with errors is convicted with its numbers, a fixed one goes through.
func TestCanary(t *testing.T) {
	r := newTrial(t, "canary", &v1alpha1.RolloutPolicy{Steps: []int32{10, 50}, MinStep: seconds(2), Bake: seconds(10)})
	w := r.watch()
	r.send("load", 200, 900)

	began := time.Now()
	r.try("error=0.3")
	bad := r.wait(w, began, time.Minute, "a canary has requests", onTrial).status.Canary.Hash
	st := r.wait(w, began, 2*time.Minute, "the canary is taken back", takenBack(bad)).status
	if st.Rejected.Reason != v1alpha1.ReasonWorse || !strings.Contains(st.Rejected.Message, "E=") || len(st.Rejected.Signals) == 0 || !st.Rejected.Quarantined {
		t.Errorf("rejected = %+v, want Worse with evidence and quarantine", st.Rejected)
	}
	t.Logf("taken back %s after its begin: %s", time.Since(began).Round(time.Second), st.Rejected.Message)
	r.is("movies-metadata", v1alpha1.ConditionRolledBack, metav1.ConditionTrue, "E=", time.Minute)
	described := r.kubectl("describe", "fleetservice", "movies-metadata")
	for _, word := range []string{bad, "errors", "Quarantined", "serves", "retry@"} {
		if !strings.Contains(described, word) {
			t.Errorf("kubectl describe does not tell %q:\n%s", word, described)
		}
	}

	began = time.Now()
	r.try("")
	good := r.wait(w, began, time.Minute, "the fixed canary has its share", weighed(10)).status.Canary.Hash
	r.wait(w, began, 3*time.Minute, "the fixed one bakes", func(st v1alpha1.FleetServiceStatus) bool {
		return st.Stable != nil && st.Stable.Hash == good && st.Bake != nil
	})
	r.ready("movies", 2*time.Minute)
	ledger := r.kubectl("get", "configmap", "fleet-ledger-movies-metadata", "-o", "jsonpath={.data}")
	if !strings.Contains(ledger, bad) || !strings.Contains(ledger, good) {
		t.Errorf("the ledger does not name %s and %s: %s", bad, good, ledger)
	}
	r.endLoad(r.way())
	report := r.result("load", time.Minute)
	if got := report.of(bad).failed(); got == 0 || report.Failed != got {
		t.Errorf("%d requests failed in all and %d at the bad canary, want only the latter: %+v", report.Failed, got, report.Revisions)
	}
}
