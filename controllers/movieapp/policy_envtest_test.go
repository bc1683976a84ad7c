//go:build envtest

package movieapp_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"movieexample.com/fleet/api/v1alpha1"
)

// TestPolicies: the API server takes what policies become, and a change of them does not wait for a release.
func TestPolicies(t *testing.T) {
	t.Parallel()
	s := up(t)
	s.edit("movies", func(a *v1alpha1.MovieApp) { a.Spec.Image.Tag = "broken" })
	s.await("movies-metadata", "localhost/fleet/metadata:broken")
	s.becomes("movies-metadata", false, "revision x was taken back")
	s.awaitCondition("movies", v1alpha1.ConditionStalled, metav1.ConditionTrue, "The release stops here and does not reach: movie")
	paused := true
	s.edit("movies", func(a *v1alpha1.MovieApp) {
		a.Spec.Rollout = &v1alpha1.RolloutPolicy{Steps: []int32{}, Paused: &paused}
		a.Spec.Traffic = &v1alpha1.TrafficPolicy{EastWest: v1alpha1.EastWestConsul, NorthSouth: v1alpha1.NorthSouthGateway,
			Gateway: &v1alpha1.GatewayTraffic{ParentRefs: []v1alpha1.GatewayReference{{Name: "edge"}}}}
	})
	s.eventually(func() string {
		for name, fs := range s.fleet() {
			if r := fs.Spec.Rollout; r == nil || r.Paused == nil || !*r.Paused || r.Steps == nil || len(r.Steps) > 0 {
				return fmt.Sprintf("%s has the rollout policy %+v, want no steps and paused", name, r)
			}
		}
		return ""
	})
	fleet := s.fleet()
	if got := fleet["movies-movie"].Spec.Image; got != "localhost/fleet/movie:v1" {
		t.Errorf("movie has image %s while metadata is taken back, want v1", got)
	}
	wantMovie := &v1alpha1.TrafficPolicy{EastWest: v1alpha1.EastWestConsul, NorthSouth: v1alpha1.NorthSouthGateway, Gateway: &v1alpha1.GatewayTraffic{
		ParentRefs: []v1alpha1.GatewayReference{{Name: "edge"}}, PathPrefixes: []string{"/v1/movies"}, GRPCServices: []string{"movie.v1.MovieService"},
	}}
	if diff := cmp.Diff(wantMovie, fleet["movies-movie"].Spec.Traffic); diff != "" {
		t.Errorf("traffic of movie (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(&v1alpha1.TrafficPolicy{EastWest: v1alpha1.EastWestConsul}, fleet["movies-rating"].Spec.Traffic); diff != "" {
		t.Errorf("traffic of rating, which has no paths (-want +got):\n%s", diff)
	}
}
