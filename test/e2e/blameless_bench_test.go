//go:build e2e && bench

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"movieexample.com/fleet/api/v1alpha1"
)

// TestBenchManyGood releases forty revisions that are as good as what runs, eight services side by side, half of them with
// a base error rate of 0.5 % and half with 5 %: none is taken back.
func TestBenchManyGood(t *testing.T) {
	const applications, rounds = 4, 5
	var table lines
	t.Run("side by side", func(t *testing.T) {
		for i := range applications {
			r := newTrial(t, fmt.Sprintf("many%d", i), &v1alpha1.RolloutPolicy{Steps: []int32{}, Bake: seconds(0)})
			base := []string{"error=0.005", "error=0.05"}[i%2]
			services := []string{"metadata", "rating"}
			r.begin(base, `{"steps":[10,50],"maxStepDuration":"3m","onInconclusive":"Promote","bake":"30s"}`, services...)
			for _, service := range services {
				t.Run(fmt.Sprintf("%d %s", i, service), func(t *testing.T) {
					t.Parallel()
					table.add(r.on(t, service).manyGood(base, rounds))
				})
			}
		}
	})
	table.print("service", "base", "good releases", "taken back", "requests", "longest")
}

// manyGood releases one revision after the other, each with the same base rate as stable.
func (r *trial) manyGood(base string, rounds int) string {
	r.t.Helper()
	name, w := "load-"+r.target, r.watch()
	var longest time.Duration
	back, sent := 0, 0
	for range rounds {
		r.send(name, 50, 150)
		began := time.Now()
		r.try(base)
		canary := r.wait(w, began, time.Minute, "a share", weighed(10)).status.Canary.Hash
		end := r.wait(w, began, 8*time.Minute, "the bake ends", func(st v1alpha1.FleetServiceStatus) bool {
			return takenBack(canary)(st) || st.Stable.Hash == canary && st.Bake == nil && st.Rollout == nil
		})
		longest = max(longest, end.at.Sub(began))
		if takenBack(canary)(end.status) {
			back++
			r.t.Errorf("%s: a good release was taken back: %s", r.target, end.status.Rejected.Message)
		}
		sent += r.result(name, 4*time.Minute).Sent
	}
	return fmt.Sprintf("| %s/%s | %s | %d | %d | %d | %s |", r.namespace, r.target, base, rounds, back, sent, tenth(longest))
}

// TestBenchSharedOutage stops rating's database while a canary of rating has requests. Either revision fails, so neither
// is blamed; once the database is back, the release goes on and through.
func TestBenchSharedOutage(t *testing.T) {
	r := newTrial(t, "outage", &v1alpha1.RolloutPolicy{Steps: []int32{10, 50}, MinStep: seconds(20), Bake: seconds(10)}).on(t, "rating")
	w := r.watch()
	var table lines
	for range (repeat() + 1) / 2 {
		r.send("load", 100, 300)
		began := time.Now()
		r.try("")
		canary := r.wait(w, began, time.Minute, "a share", weighed(10)).status.Canary.Hash
		r.stop("mariadb")
		stopped := time.Now()
		r.holds(w, canary, 20*time.Second)
		r.start("mariadb")
		away := time.Since(stopped)
		verdict := "on trial still"
		if end, ok := r.within(w, began, 4*time.Minute, ended(canary)); ok {
			verdict = "promoted"
			if end.status.Rejected != nil && end.status.Rejected.Hash == canary {
				verdict = "taken back: " + end.status.Rejected.Message
				t.Errorf("an outage of the database was held against the canary: %s", end.status.Rejected.Message)
			}
		}
		report := r.result("load", 6*time.Minute)
		table.add(fmt.Sprintf("| %s | %d of %d | %s |", tenth(away), report.Failed, report.Sent, verdict))
		r.try("") // whatever is on trial is replaced, and goes through without requests at once
		r.kubectl("patch", "movieapp", "movies", "--type=merge", "-p", `{"spec":{"rollout":{"steps":[]}}}`)
		r.ready("movies", 2*time.Minute)
		r.kubectl("patch", "movieapp", "movies", "--type=merge", "-p", `{"spec":{"rollout":{"steps":[10,50]}}}`)
	}
	table.print("database away", "failed requests", "verdict")
}

// within is the first such status, if it comes in time.
func (r *trial) within(w *watcher, since time.Time, long time.Duration, holds func(v1alpha1.FleetServiceStatus) bool) (seen, bool) {
	r.t.Helper()
	for deadline := time.Now().Add(long); time.Now().Before(deadline); <-time.After(200 * time.Millisecond) {
		if s, ok := w.first(since, holds); ok {
			return s, true
		}
	}
	return seen{}, false
}

// holds watches for so long that the canary stays on trial.
func (r *trial) holds(w *watcher, canary string, long time.Duration) {
	r.t.Helper()
	begin := time.Now()
	<-time.After(long) // the observation itself
	if s, ok := w.first(begin, ended(canary)); ok {
		r.t.Errorf("%s after the database went the release had ended: %+v", s.at.Sub(begin), s.status.Rejected)
	}
}

// TestBenchOnePod freezes one of the canary's two pods, as a node does that hangs: the release is not blamed for it.
func TestBenchOnePod(t *testing.T) {
	r := newTrial(t, "onepod", &v1alpha1.RolloutPolicy{Steps: []int32{50}, MinStep: seconds(30), Bake: seconds(10)})
	w := r.watch()
	var table lines
	for range (repeat() + 1) / 2 {
		r.send("load", 100, 150)
		began := time.Now()
		r.try("")
		canary := r.wait(w, began, time.Minute, "half of the requests", weighed(50)).status.Canary.Hash
		pods := strings.Fields(r.kubectl("get", "pods", "-l", "fleet.movieexample.com/revision="+canary, "-o", "jsonpath={.items[*].metadata.uid}"))
		if len(pods) != 2 {
			t.Fatalf("the canary has %d pods at half of the requests, want 2", len(pods))
		}
		r.freeze(pods[0])
		frozen := time.Now()
		end := r.wait(w, began, 4*time.Minute, "the release ends", ended(canary))
		verdict := "promoted"
		if end.status.Rejected != nil && end.status.Rejected.Hash == canary {
			verdict = "taken back: " + end.status.Rejected.Message
			t.Errorf("one frozen pod was held against the release: %s", end.status.Rejected.Message)
		}
		report := r.result("load", 4*time.Minute)
		table.add(fmt.Sprintf("| %s | %d of %d | %s |", tenth(end.at.Sub(frozen)), report.Failed, report.Sent, verdict))
		r.ready("movies", 2*time.Minute)
	}
	table.print("from the fault to all requests", "failed requests", "verdict")
}

// freeze stops the processes of one pod; the kubelet kills them when the pod's liveness has failed for long enough.
func (r *trial) freeze(uid string) {
	r.t.Helper()
	script := `for p in /proc/[0-9]*; do if tr '\0' '\n' < $p/environ 2>/dev/null | grep -qx "POD_UID=$0"; then kill -STOP ${p#/proc/} && echo ${p#/proc/}; fi; done`
	if out := must(r.t, "hack/cluster/cluster", "exec", "bash", "-c", script, uid); strings.TrimSpace(out) == "" {
		r.t.Fatalf("no process of pod %s was found", uid)
	}
}
