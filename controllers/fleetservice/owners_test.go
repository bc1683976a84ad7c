package fleetservice

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"movieexample.com/fleet/api/v1alpha1"
)

// TestOwnersAreShownForAlerts: the owner of now, and nobody who was it before.
func TestOwnersAreShownForAlerts(t *testing.T) {
	o, fs := newOwners(), ratingService()
	want := func(what, series string) {
		t.Helper()
		if series != "" {
			series = "# HELP fleet_service_owner_info Who answers for the service, by spec.ownership; always 1.\n# TYPE fleet_service_owner_info gauge\n" + series + "\n"
		}
		if err := testutil.CollectAndCompare(o, strings.NewReader(series)); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	fs.Spec.Ownership = &v1alpha1.Ownership{Accountable: "ann@example.com", Support: "#movies", Oncall: "PD"}
	o.set(fs)
	want("an owner", `fleet_service_owner_info{accountable="ann@example.com",namespace="movies",oncall="PD",service="rating",support="#movies"} 1`)
	fs.Spec.Ownership = &v1alpha1.Ownership{Accountable: "ben@example.com"}
	o.set(fs)
	want("another owner", `fleet_service_owner_info{accountable="ben@example.com",namespace="movies",oncall="",service="rating",support=""} 1`)
	fs.Spec.Ownership = nil
	o.set(fs)
	want("no owner", "")
	fs.Spec.Ownership = &v1alpha1.Ownership{Accountable: "ben@example.com"}
	o.set(fs)
	o.forget(client.ObjectKeyFromObject(fs))
	want("a service that is gone", "")
}
