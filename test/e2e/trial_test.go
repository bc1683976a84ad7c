//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"movieexample.com/fleet/api/v1alpha1"
)

// trial is an application on one of whose services releases are tried under load.
type trial struct {
	*fleet

	target string // the service
	nonce  int    // makes each release another revision
}

// newTrial starts the sample application with a policy for its rollouts.
func newTrial(t *testing.T, namespace string, policy *v1alpha1.RolloutPolicy, changes ...func(*v1alpha1.MovieApp)) *trial {
	t.Helper()
	f := newFleet(t, namespace)
	f.applyApp(sample(t, func(app *v1alpha1.MovieApp) {
		app.Spec.Rollout = policy
		app.Spec.Services = map[string]v1alpha1.MovieAppService{
			"metadata": app.Spec.Services["metadata"], "rating": app.Spec.Services["rating"], "movie": app.Spec.Services["movie"],
		}
		metadata := app.Spec.Services["metadata"]
		metadata.Objectives = &v1alpha1.Objectives{Latency: &v1alpha1.LatencyObjective{BoundMilliseconds: 100, Percent: "99"}}
		app.Spec.Services["metadata"] = metadata
		for _, change := range changes {
			change(app)
		}
	}))
	f.ready("movies", 3*time.Minute)
	readAndWrite(f)
	return &trial{fleet: f, target: "metadata"}
}

// try releases the service with a fault; none is a good release.
func (r *trial) try(fault string) {
	r.t.Helper()
	r.nonce++
	env := []map[string]string{{"name": "TRIAL", "value": fmt.Sprint(r.nonce)}}
	if fault != "" {
		env = append(env, map[string]string{"name": "FLEET_FAULT", "value": fault})
	}
	raw, err := json.Marshal(map[string]any{"env": env})
	if err != nil {
		r.t.Fatal(err)
	}
	r.patchService(r.target, string(raw))
}

// answered is what a load tells of one revision.
type answered struct {
	Revision               string
	Codes                  map[string]int
	LastSent               time.Time
	Bad                    int
	FirstBad, FirstBadSent time.Time
}

// loaded is what a load tells.
type loaded struct {
	Sent, OK, Failed int
	Revisions        []answered
}

// failed are the answers that were errors; slow ones, which a busy machine gives too, are not among them.
func (a answered) failed() (n int) {
	for code, count := range a.Codes {
		if code != "OK" {
			n += count
		}
	}
	return n
}

func (l loaded) of(revision string) answered {
	for _, a := range l.Revisions {
		if a.Revision == revision {
			return a
		}
	}
	return answered{}
}

// way is how the service is called.
func (r *trial) way() string { return "consul:///" + r.namespace + "-movies-" + r.target }

// send reads from the service, rate times a second, through Consul, for so many seconds or until it is told to end.
func (r *trial) send(name string, rate, seconds int) {
	r.t.Helper()
	r.kubectl("delete", "job", name, "--ignore-not-found", "--wait")
	manifest := must(r.t, "sed", "-e", fmt.Sprintf("s/@NAME@/%s/; s/@RATE@/%d/; s/@SECONDS@/%d/; s|@TARGET@|%s|", name, rate, seconds, r.way()),
		"-e", `s/- --max-failed=0/- --json=-\n        - --quiet\n        - --slow=100ms\n        - --method=`+r.target+`/`, "hack/demo/load.yaml")
	if out, err := r.apply(manifest); err != nil {
		r.t.Fatalf("start the load: %v: %s", err, out)
	}
	r.kubectl("wait", "--for=jsonpath={.status.ready}=1", "job/"+name, "--timeout=1m")
}

// result waits for the end of a load.
func (r *trial) result(name string, within time.Duration) loaded {
	r.t.Helper()
	r.kubectl("wait", "--for=condition=Complete", "job/"+name, "--timeout="+within.String())
	raw := r.kubectl("logs", "job/"+name)
	var l loaded
	if err := json.Unmarshal([]byte(raw[strings.Index(raw, "{"):]), &l); err != nil {
		r.t.Fatalf("read the load's report: %v\n%s", err, raw)
	}
	return l
}

// seen is a status with the time at which it was seen.
type seen struct {
	at     time.Time
	status v1alpha1.FleetServiceStatus
}

// watcher keeps every status of a service as the API server sends it.
type watcher struct {
	mu   sync.Mutex
	list []seen
	cmd  *exec.Cmd
	done chan struct{}
}

// watch follows the service on trial until the test ends.
func (r *trial) watch() *watcher {
	r.t.Helper()
	return r.follow("movies-" + r.target)
}

// follow follows a FleetService until the test ends.
func (f *fleet) follow(service string) *watcher {
	f.t.Helper()
	w := &watcher{done: make(chan struct{})}
	w.cmd = exec.Command("hack/cluster/cluster", "kubectl", "-n", f.namespace, "get", "fleetservice", service, "--watch", "-o", "json")
	w.cmd.Dir, w.cmd.SysProcAttr = root, &syscall.SysProcAttr{Setpgid: true} // the script and its kubectl end together
	out, err := w.cmd.StdoutPipe()
	if err != nil {
		f.t.Fatal(err)
	}
	if err := w.cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
	go func() {
		defer close(w.done)
		for decoder := json.NewDecoder(out); ; {
			var fs v1alpha1.FleetService
			if decoder.Decode(&fs) != nil {
				return
			}
			w.mu.Lock()
			w.list = append(w.list, seen{time.Now(), fs.Status})
			w.mu.Unlock()
		}
	}()
	f.t.Cleanup(func() {
		_ = syscall.Kill(-w.cmd.Process.Pid, syscall.SIGKILL) // it has nothing to tidy up
		<-w.done
		_ = w.cmd.Wait() // killed, as just asked
	})
	return w
}

// first is the first status since a time of which something holds.
func (w *watcher) first(since time.Time, holds func(v1alpha1.FleetServiceStatus) bool) (seen, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.list {
		if s.at.After(since) && holds(s.status) {
			return s, true
		}
	}
	return seen{}, false
}

// last is the newest status, as JSON.
func (w *watcher) last() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.list) == 0 {
		return "nothing was seen"
	}
	raw, err := json.Marshal(w.list[len(w.list)-1].status)
	return fmt.Sprintf("%s %v", raw, err)
}

// wait is the first such status, which must come in time.
func (f *fleet) wait(w *watcher, since time.Time, within time.Duration, what string, holds func(v1alpha1.FleetServiceStatus) bool) seen {
	f.t.Helper()
	var found seen
	f.eventually(within, what, func() (bool, string) {
		s, ok := w.first(since, holds)
		found = s
		return ok, w.last()
	})
	return found
}

// takenBack is true of a status in which a revision was just taken back and has no requests any more.
func takenBack(revision string) func(v1alpha1.FleetServiceStatus) bool {
	return func(st v1alpha1.FleetServiceStatus) bool {
		return st.Rejected != nil && st.Rejected.Hash == revision && st.Traffic != nil && st.Traffic.Other != revision && st.Traffic.Revision != revision
	}
}

func onTrial(st v1alpha1.FleetServiceStatus) bool { return st.Rollout != nil && st.Rollout.Weight > 0 }

// weighed is true of a status in which a canary was verified to have a share.
func weighed(percent int32) func(v1alpha1.FleetServiceStatus) bool {
	return func(st v1alpha1.FleetServiceStatus) bool {
		return st.Traffic != nil && st.Traffic.Other != "" && st.Traffic.OtherPercent >= percent
	}
}
