//go:build e2e

package e2e

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"movieexample.com/fleet/api/v1alpha1"
)

// crashLoop: an image that dies at its start is taken back, and going back to the good one heals all.
func crashLoop(f *fleet) {
	f.release("movies", "broken")
	begin := time.Now()
	c := f.is("movies-rating", v1alpha1.ConditionRolledBack, metav1.ConditionTrue, "CrashLoop", time.Minute)
	f.t.Logf("taken back after %s: %s", time.Since(begin).Round(100*time.Millisecond), c.Message)
	f.is("movies-rating", v1alpha1.ConditionAvailable, metav1.ConditionTrue, "", time.Second)
	if image := f.service("movies-movie").Status.Stable.Image; !strings.HasSuffix(image, ":v2") {
		f.t.Errorf("movie runs %s although the services it depends on were taken back, want v2", image)
	}
	f.eventually(time.Minute, "the application says so", func() (bool, string) {
		stalled := condition(f.app("movies").Status.Conditions, v1alpha1.ConditionStalled)
		return stalled.Status == metav1.ConditionTrue && strings.Contains(stalled.Message, "taken back"), stalled.Message
	})
	f.release("movies", "v2")
	f.ready("movies", time.Minute)
}

// imageMissing: the cluster has no registry at all, so an image that is not on the node is the environment's fault.
func imageMissing(f *fleet) {
	f.patchService("rating", `{"image":{"registry":"localhost/fleet","name":"no-such-program"}}`)
	f.is("movies-rating", v1alpha1.ConditionReady, metav1.ConditionFalse, "no-such-program", time.Minute)
	if c := condition(f.service("movies-rating").Status.Conditions, v1alpha1.ConditionRolledBack); c.Status == metav1.ConditionTrue {
		f.t.Errorf("a registry that is away took the release back: %s", c.Message)
	}
	f.is("movies-rating", v1alpha1.ConditionAvailable, metav1.ConditionTrue, "", time.Second)
	f.patchService("rating", `{"image":null}`)
	f.ready("movies", time.Minute)
}

func neverReady(f *fleet) {
	f.patchService("metadata", `{"rollout":{"startDeadline":"15s"},"env":[{"name":"FLEET_FAULT","value":"neverReady"}]}`)
	f.is("movies-metadata", v1alpha1.ConditionRolledBack, metav1.ConditionTrue, "NotReady", time.Minute)
	f.patchService("metadata", `{"rollout":null,"env":null}`)
	f.ready("movies", time.Minute)
}

func (f *fleet) patchService(service, patch string) {
	f.t.Helper()
	f.kubectl("patch", "movieapp", "movies", "--type=merge", "-p", fmt.Sprintf(`{"spec":{"services":{%q:%s}}}`, service, patch))
}

// handEdits: children edited or deleted by hand come back, and an event says which field to edit instead.
func handEdits(f *fleet) {
	hash := f.service("movies-rating").Status.Stable.Hash
	deployment := "movies-rating-" + hash
	f.kubectl("scale", "deployment", deployment, "--replicas=0")
	f.eventually(20*time.Second, "the Deployment has its replicas again", func() (bool, string) {
		n := f.kubectl("get", "deployment", deployment, "-o", "jsonpath={.spec.replicas}")
		return n == "2", n
	})
	f.eventually(20*time.Second, "an event names the field", func() (bool, string) {
		events := f.kubectl("get", "events", "--field-selector=reason=HandEditUndone")
		return strings.Contains(events, "spec.services.rating"), events
	})
	f.kubectl("patch", "service", "movies-rating", "--type=merge", "-p", `{"spec":{"selector":{"app":"nothing"}}}`)
	f.eventually(20*time.Second, "the Service object selects stable again", func() (bool, string) {
		s := f.kubectl("get", "service", "movies-rating", "-o", "jsonpath={.spec.selector}")
		return strings.Contains(s, hash) && !strings.Contains(s, "nothing"), s
	})
	deleted := f.kubectl("get", "deployment", deployment, "-o", "jsonpath={.metadata.uid}")
	f.kubectl("delete", "deployment", deployment, "--wait=false")
	f.kubectl("delete", "service", "movies-movie", "--wait=false")
	f.eventually(time.Minute, "the Deployment is back with its pods", func() (bool, string) { // until then status may be from before
		out := f.kubectl("get", "deployment", deployment, "--ignore-not-found", "-o", "jsonpath={.metadata.uid} {.status.availableReplicas}")
		return !strings.HasPrefix(out, deleted) && strings.HasSuffix(out, " 2"), out
	})
	f.eventually(30*time.Second, "the Service object is back", func() (bool, string) {
		out, err := run("hack/cluster/cluster", "kubectl", "-n", f.namespace, "get", "service", "movies-movie")
		return err == nil, out
	})
	f.ready("movies", time.Minute)
}

// secretWithoutKey: the condition names Secret and key, the stable revision keeps serving, and it heals by itself.
func secretWithoutKey(f *fleet) {
	password := f.kubectl("get", "secret", "rating-mysql", "-o", "jsonpath={.data.password}")
	if _, err := base64.StdEncoding.DecodeString(password); err != nil {
		f.t.Fatal(err)
	}
	f.kubectl("patch", "secret", "rating-mysql", "--type=json", "-p", `[{"op":"remove","path":"/data/password"}]`)
	c := f.is("movies-rating", v1alpha1.ConditionBindingsReady, metav1.ConditionFalse, "password", 90*time.Second)
	if !strings.Contains(c.Message, "rating-mysql") {
		f.t.Errorf("the condition does not name the Secret: %s", c.Message)
	}
	f.is("movies-rating", v1alpha1.ConditionAvailable, metav1.ConditionTrue, "", time.Second)
	f.kubectl("patch", "secret", "rating-mysql", "--type=merge", "-p", fmt.Sprintf(`{"data":{"password":%q}}`, password))
	f.ready("movies", time.Minute)
}

// databaseAway: who reads what was read before does not notice; each pod says what is missing and stays ready; nothing
// crashes, and all is well when it is back.
func databaseAway(f *fleet) {
	f.startLoad("load-before", "consul", 10).noneFailed(1) // each pod has read what is asked for again
	l := f.startLoad("load-outage", "consul", 40)
	f.stop("mariadb")
	f.eventually(30*time.Second, "each pod of rating says that its database is away, and is ready", func() (bool, string) {
		said := f.readyz("movies-rating", 8092)
		n := strings.Count(said, `"status":"ready"`)
		return n >= 2 && strings.Count(said, "the database cannot be reached") == n, said
	})
	f.is("movies-rating", v1alpha1.ConditionAvailable, metav1.ConditionTrue, "", time.Second)
	f.start("mariadb")
	l.noneFailed(1)
	f.ready("movies", time.Minute)
	f.noRestarts()
}

// readyz is what all pods of a service say of themselves.
func (f *fleet) readyz(service string, port int) string { return f.pages(service, port, "/readyz") }

// pages are a page of all pods of a service, one after the other.
func (f *fleet) pages(service string, port int, path string) string {
	f.t.Helper()
	var said strings.Builder
	for ip := range strings.FieldsSeq(f.kubectl("get", "pods", "-l", "fleet.movieexample.com/service="+service+",fleet.movieexample.com/revision", "--field-selector=status.phase=Running", "-o", "jsonpath={.items[*].status.podIP}")) {
		page, err := run("hack/cluster/cluster", "exec", "curl", "-sS", "--max-time", "5", fmt.Sprintf("http://%s:%d%s", ip, port, path))
		if said.WriteString(page); err != nil {
			said.WriteString(err.Error()) // a pod that is late or gone is one to look at again
		}
	}
	return said.String()
}

// consulAway: callers keep what they knew while Consul restarts, and an entry that somebody deletes is written again.
func consulAway(f *fleet) {
	l := f.startLoad("load-away", "consul", 30)
	f.stop("consul")
	f.start("consul")
	f.ready("movies", time.Minute)
	f.consul("/v1/config/service-resolver/"+f.namespace+"-movies-movie", "-X", "DELETE")
	f.eventually(30*time.Second, "the operator's entry is in Consul again", func() (bool, string) {
		entries := f.consul("/v1/config/service-resolver")
		return strings.Contains(entries, f.service("movies-movie").Status.Stable.Hash), entries
	})
	l.noneFailed(1)
	f.noRestarts()
}

// operatorKilled: the operator dies again and again while a change goes on; it is finished all the same.
func operatorKilled(f *fleet) {
	l := f.startLoad("load-killed", "consul", 900)
	f.release("movies", "v1")
	for range 6 {
		f.system("delete", "pod", "-l", "app.kubernetes.io/name=movie-fleet", "--force", "--grace-period=0", "--wait=false")
		f.system("rollout", "status", "deployment/movie-fleet", "--timeout=60s")
		// One that died before it could give the lease back has it for half a minute more; who waits asks up to nine seconds apart.
		f.eventually(90*time.Second, "a new operator leads", func() (bool, string) {
			holder := f.system("get", "lease", "-o", "jsonpath={.items[*].spec.holderIdentity}")
			pod := f.system("get", "pods", "-l", "app.kubernetes.io/name=movie-fleet", "-o", "jsonpath={.items[*].metadata.name}")
			return strings.HasPrefix(holder, strings.Fields(pod + " ?")[0]), holder + " / " + pod
		})
	}
	f.ready("movies", 3*time.Minute)
	f.alone("v1")
	f.endLoad(l.target)
	l.noneFailed(2)
}

func (f *fleet) system(args ...string) string {
	f.t.Helper()
	return must(f.t, "hack/cluster/cluster", append([]string{"kubectl", "-n", operatorNamespace}, args...)...)
}

func (f *fleet) stop(part string) {
	f.t.Helper()
	must(f.t, "hack/cluster/cluster", "deps", "stop", part)
	f.t.Cleanup(func() { must(f.t, "hack/cluster/cluster", "deps", "start", part) })
}

func (f *fleet) start(part string) {
	f.t.Helper()
	must(f.t, "hack/cluster/cluster", "deps", "start", part)
}

// noRestarts asserts that no container of the fleet ended by itself.
func (f *fleet) noRestarts() {
	f.t.Helper()
	counts := f.kubectl("get", "pods", "-l", "app.kubernetes.io/managed-by=movie-fleet", "-o",
		`jsonpath={range .items[*]}{.metadata.name}={.status.containerStatuses[0].restartCount}{"\n"}{end}`)
	for line := range strings.Lines(counts) {
		if !strings.HasSuffix(strings.TrimSpace(line), "=0") {
			f.t.Errorf("a container restarted: %s", line)
		}
	}
}

// consul asks Consul's API from inside the node, with the token that the operator has.
func (f *fleet) consul(path string, options ...string) string {
	f.t.Helper()
	return must(f.t, "hack/cluster/cluster", slices.Concat([]string{"exec", "curl", "-sS", "--max-time", "5", "-H", "X-Consul-Token: " + f.token}, options, []string{"http://" + f.agent + path})...)
}

// load is a bounded load on movie from inside the cluster.
type load struct {
	f            *fleet
	name, target string
}

// startLoad sends 200 requests a second through Consul or the Service object for so many seconds, or until it is told to end.
func (f *fleet) startLoad(name, via string, seconds int) *load {
	f.t.Helper()
	target := map[string]string{
		"consul":  "consul:///" + f.namespace + "-movies-movie",
		"service": "dns:///movies-movie." + f.namespace + ".svc.cluster.local:8083",
	}[via]
	manifest := must(f.t, "sed", "-e", "s/@NAME@/"+name+"/; s/@RATE@/200/; s/@SECONDS@/"+fmt.Sprint(seconds)+"/; s|@TARGET@|"+target+"|", "hack/demo/load.yaml")
	if out, err := f.apply(manifest); err != nil {
		f.t.Fatalf("start the load: %v: %s", err, out)
	}
	f.eventually(time.Minute, "the load runs", func() (bool, string) {
		ready := f.kubectl("get", "job", name, "-o", "jsonpath={.status.ready}")
		return ready == "1", f.kubectl("get", "pods", "-l", "job-name="+name)
	})
	return &load{f, name, target}
}

// endLoad tells the load on a target to end, and to report, when what it was to see has happened.
func (f *fleet) endLoad(target string) {
	f.t.Helper()
	if _, err := run("hack/cluster/cluster", "exec", "pkill", "-TERM", "-f", "--", "--target="+target+" "); err != nil {
		f.t.Fatalf("the load on %s is not there any more: it was to last until now: %v", target, err)
	}
}

var revisionLine = regexp.MustCompile(`(?m)^\s*([a-z2-7]{10})\s`)

// noneFailed waits for the end and asserts that every request was answered, by as many revisions as expected.
func (l *load) noneFailed(revisions int) {
	l.f.t.Helper()
	var job struct {
		Status struct {
			Conditions []struct{ Type, Status string }
		}
	}
	l.f.eventually(3*time.Minute, "the load ends", func() (bool, string) {
		raw := l.f.kubectl("get", "job", l.name, "-o", "json")
		if err := json.Unmarshal([]byte(raw), &job); err != nil {
			l.f.t.Fatal(err)
		}
		for _, c := range job.Status.Conditions {
			if c.Type == "Complete" || c.Type == "Failed" {
				return true, ""
			}
		}
		return false, raw
	})
	report := l.f.kubectl("logs", "job/"+l.name)
	l.f.t.Logf("%s:\n%s", l.name, report)
	for _, c := range job.Status.Conditions {
		if c.Type == "Failed" {
			l.f.t.Errorf("%s: requests failed, want none", l.name)
		}
	}
	seen := map[string]bool{}
	for _, m := range revisionLine.FindAllStringSubmatch(report, -1) {
		seen[m[1]] = true
	}
	if len(seen) != revisions {
		l.f.t.Errorf("%s: %d revisions answered, want %d", l.name, len(seen), revisions)
	}
}

// TestBadSecrets: each mistake in a Secret is named before any pod starts.
func TestBadSecrets(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "secrets")
	for _, mistake := range []struct{ name, patch, words string }{
		{"missing key", `[{"op":"remove","path":"/data/host"}]`, "host"},
		{"empty value", `[{"op":"replace","path":"/data/username","value":""}]`, "username"},
		{"wrong type", `[{"op":"replace","path":"/data/type","value":"cG9zdGdyZXM="}]`, "type"},
		{"port is no number", `[{"op":"replace","path":"/data/port","value":"YWJj"}]`, "port"},
	} {
		t.Run(mistake.name, func(t *testing.T) {
			f := f.in(t)
			must(t, "hack/cluster/cluster", "secrets", f.namespace, "movies")
			f.kubectl("patch", "secret", "rating-mysql", "--type=json", "-p", mistake.patch)
			f.applyApp(sample(t, func(app *v1alpha1.MovieApp) {
				for _, name := range []string{"metadata", "movie"} {
					delete(app.Spec.Services, name)
				}
			}))
			f.eventually(30*time.Second, "the application names Secret and key", func() (bool, string) {
				c := condition(f.app("movies").Status.Conditions, v1alpha1.ConditionBindingsReady)
				return c.Status == metav1.ConditionFalse && strings.Contains(c.Message, "rating-mysql") && strings.Contains(c.Message, mistake.words), c.Message
			})
			if pods := f.kubectl("get", "pods", "-o", "name"); strings.TrimSpace(pods) != "" {
				t.Errorf("pods were started in spite of a bad Secret: %s", pods)
			}
			f.kubectl("delete", "movieapp", "movies", "--timeout=60s")
		})
	}
}
