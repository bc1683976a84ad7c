//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"movieexample.com/fleet/api/v1alpha1"
)

// The ways on which movie is reached, as arguments of the load.
const (
	restOutside = `--rest=http://edge.edge:80\n        - --host=movies.test`
	grpcOutside = "--target=dns:///edge.edge:80"
	grpcInside  = "--target=consul:///outside-movies-movie"
)

// TestGateway moves what enters through a real Traefik together with calls through Consul: at a step and at the end each
// way brings the canary its share, and no request fails on the way there.
func TestGateway(t *testing.T) {
	t.Parallel()
	must(t, "hack/cluster/cluster", "up", "--with", "gateway")
	r := newTrial(t, "outside", &v1alpha1.RolloutPolicy{
		Steps: []int32{20}, MinStep: seconds(75), MaxStepDuration: seconds(90), OnInconclusive: v1alpha1.InconclusivePromote, Bake: seconds(5),
	})
	r.patchService("movie", `{"traffic":{"northSouth":"Gateway","gateway":{"parentRefs":[{"name":"edge","namespace":"edge"}],"hostnames":["movies.test","edge.edge"]}}}`)
	r.eventually(time.Minute, "movie is reached through the Gateway", func() (bool, string) {
		fs := r.service("movies-movie")
		ready := condition(fs.Status.Conditions, v1alpha1.ConditionReady)
		through := fs.Status.Traffic != nil && fs.Status.Traffic.Through == "Consul, the Service object and the Gateway"
		return through && ready.Status == metav1.ConditionTrue && ready.ObservedGeneration == fs.Generation, fmt.Sprintf("%+v %+v", fs.Status.Traffic, ready)
	})
	old := r.service("movies-movie").Status.Stable.Hash
	r.knock("rest-steady", restOutside, 40, 200)
	r.knock("grpc-steady", grpcOutside, 40, 200)
	r.knocks("rest-steady")
	r.knocks("grpc-steady")

	r.patchService("movie", `{"env":[{"name":"TRIAL","value":"1"}]}`)
	var canary string
	r.eventually(time.Minute, "the canary has its share", func() (bool, string) {
		st := r.service("movies-movie").Status
		if weighed(20)(st) {
			canary = st.Traffic.Other
		}
		return canary != "", fmt.Sprintf("%+v", st.Traffic)
	})
	r.wantShares("step", canary, 12, 28)

	r.eventually(3*time.Minute, "the canary is promoted", func() (bool, string) {
		st := r.service("movies-movie").Status
		return st.Stable.Hash == canary && st.Traffic.Revision == canary && st.Traffic.Other == "", fmt.Sprintf("%+v", st.Rollout)
	})
	r.wantShares("end", canary, 100, 100)
	for _, load := range []string{"rest-steady", "grpc-steady"} {
		l := r.result(load, 4*time.Minute)
		if l.Failed != 0 || l.of(old).Codes == nil || l.of(canary).Codes == nil {
			t.Errorf("%s: %d of %d requests failed while they went from %s to %s: %+v", load, l.Failed, l.Sent, old, canary, l.Revisions)
		}
	}
	r.leaveGateway()
}

// leaveGateway asks for a Gateway that does not exist, and then for none.
func (r *trial) leaveGateway() {
	r.t.Helper()
	r.patchService("movie", `{"traffic":{"gateway":{"parentRefs":[{"name":"nowhere"}]}}}`)
	r.is("movies-movie", v1alpha1.ConditionStalled, metav1.ConditionTrue, "Gateway outside/nowhere has not answered", time.Minute)
	r.patchService("movie", `{"traffic":null}`)
	r.is("movies-movie", v1alpha1.ConditionReady, metav1.ConditionTrue, "", time.Minute)
	r.eventually(time.Minute, "the routes are gone", func() (bool, string) {
		got := r.kubectl("get", "httproutes,grpcroutes", "-o", "name")
		return strings.TrimSpace(got) == "", got
	})
}

// knock asks for details of movies on one of the ways, rate times a second.
func (r *trial) knock(name, way string, rate, seconds int) {
	r.t.Helper()
	r.kubectl("delete", "job", name, "--ignore-not-found", "--wait")
	manifest := must(r.t, "sed", "-e", fmt.Sprintf("s/@NAME@/%s/; s/@RATE@/%d/; s/@SECONDS@/%d/; s|--target=@TARGET@|%s|", name, rate, seconds, way),
		"-e", `s/- --max-failed=0/- --json=-\n        - --quiet/`, "hack/demo/load.yaml")
	if out, err := r.apply(manifest); err != nil {
		r.t.Fatalf("start the load: %v: %s", err, out)
	}
}

// knocks waits until a load has begun.
func (r *trial) knocks(name string) {
	r.t.Helper()
	r.eventually(time.Minute, "the load runs", func() (bool, string) {
		return r.kubectl("get", "job", name, "-o", "jsonpath={.status.ready}") == "1", r.kubectl("get", "pods", "-l", "job-name="+name)
	})
}

// wantShares asks on every way at once and checks the share, in percent, that a revision answers. It waits for none to begin:
// a step does not last for ever.
func (r *trial) wantShares(when, revision string, least, most float64) {
	r.t.Helper()
	ways := map[string]string{"rest-" + when: restOutside, "grpc-" + when: grpcOutside, "consul-" + when: grpcInside}
	for name, way := range ways {
		r.knock(name, way, 50, 15)
	}
	for name := range ways {
		l := r.result(name, 2*time.Minute)
		answers := 0
		for _, n := range l.of(revision).Codes {
			answers += n
		}
		share := 100 * float64(answers) / float64(max(l.Sent, 1))
		r.t.Logf("%s: %s answered %.1f %% of %d requests", name, revision, share, l.Sent)
		if l.Failed != 0 || share < least || share > most {
			r.t.Errorf("%s: %s answered %.1f %% of %d requests and %d failed, want %.0f to %.0f %% and none", name, revision, share, l.Sent, l.Failed, least, most)
		}
	}
}
