//go:build e2e

package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/test/ports"
)

// TestFleet tells the life of one application: installed, read, changed under load, given bad releases, robbed of
// its operator and its dependencies.
func TestFleet(t *testing.T) {
	f := newFleet(t, "movies")
	begin := time.Now()
	f.applyApp(sample(t, nil))
	f.ready("movies", 3*time.Minute)
	t.Logf("start to Ready: %s", time.Since(begin).Round(100*time.Millisecond))

	for _, story := range []struct {
		name string
		tell func(*fleet)
	}{
		{"read and write", readAndWrite},
		{"kubectl tells the state", kubectlTells},
		{"a version change loses no request", loseNothing},
		{"a crash loop is taken back", crashLoop},
		{"an image that no registry gives blames nobody", imageMissing},
		{"a release that is never ready is taken back", neverReady},
		{"hand edits are undone", handEdits},
		{"scale", scale},
		{"a Secret without a key", secretWithoutKey},
		{"the database goes away", databaseAway},
		{"Consul goes away, and loses an entry", consulAway},
		{"the operator is killed during a change under load", operatorKilled},
		{"nothing is written when nothing changes", idle},
		{"deleted in order", deleted},
	} {
		if !t.Run(story.name, func(t *testing.T) { story.tell(f.in(t)) }) {
			t.FailNow()
		}
	}
}

func readAndWrite(f *fleet) {
	metadata, rating, movie := f.front("movies-metadata", 8081), f.front("movies-rating", 8082), f.front("movies-movie", 8083)
	const want = `"seven-samurai": Seven Samurai (Akira Kurosawa, 1954), rated 5.00 by 3`
	f.eventually(time.Minute, "seed prints "+want, func() (bool, string) { // movie does without a rating that does not come soon
		out := must(f.t, "go", "run", "./hack/seed", "--metadata", metadata, "--rating", rating, "--movie", movie)
		return strings.Contains(out, want), out
	})
	rest := must(f.t, "curl", "-sS", "--max-time", "10", "http://"+f.front("movies-movie", 8183)+"/v1/movies/alien")
	if !strings.Contains(rest, `"title":"Alien"`) && !strings.Contains(rest, `"title": "Alien"`) {
		f.t.Errorf("GET /v1/movies/alien = %s, want the movie Alien", rest)
	}
}

// front makes a Service object reachable on this machine until the test ends, and returns the address.
func (f *fleet) front(service string, port int) string {
	f.t.Helper()
	return f.reach(fmt.Sprintf("%s/%s:%d", f.namespace, service, port))
}

// reach makes something inside the cluster reachable on this machine until the test ends, and returns the address.
func (f *fleet) reach(target string) string {
	f.t.Helper()
	address := ports.Address(f.t)
	must(f.t, "hack/cluster/cluster", "front", address, target)
	f.t.Cleanup(func() {
		if _, err := run("hack/cluster/cluster", "front", "--close", address); err != nil {
			f.t.Errorf("%s of %s is not closed: %v", address, target, err)
		}
	})
	return address
}

func kubectlTells(f *fleet) {
	f.kubectl("wait", "--for=condition=Ready", "movieapp/movies", "--timeout=60s")
	table := f.kubectl("get", "movieapps,fleetservices")
	for _, want := range []string{"PHASE", "Serving", "3/3", "movies-rating", "2/2"} {
		if !strings.Contains(table, want) {
			f.t.Errorf("kubectl get movieapps,fleetservices does not show %q:\n%s", want, table)
		}
	}
	explained := f.kubectl("explain", "movieapp.spec")
	for _, want := range []string{"services", "bindings", "ownership", "image says where the images come from"} {
		if !strings.Contains(explained, want) {
			f.t.Errorf("kubectl explain movieapp.spec does not tell %q:\n%s", want, explained)
		}
	}
}

// loseNothing rolls v2 out under 200 requests a second through Consul and as many through the Service object.
func loseNothing(f *fleet) {
	loads := []*load{f.startLoad("load-consul", "consul", 900), f.startLoad("load-service", "service", 900)}
	f.release("movies", "v2")
	f.ready("movies", 3*time.Minute)
	f.alone("v2")
	for _, l := range loads {
		f.endLoad(l.target)
	}
	for _, l := range loads {
		l.noneFailed(2)
	}
}

// alone waits until the three services have this tag, nothing of another is on trial, kept or left to finish, and the last of
// its pods has ended: until then who has a connection to it through the Service object stays there.
func (f *fleet) alone(tag string) {
	f.t.Helper()
	f.eventually(2*time.Minute, tag+" alone", func() (bool, string) {
		for _, s := range []string{"movies-metadata", "movies-rating", "movies-movie"} {
			if st := f.service(s).Status; !strings.HasSuffix(st.Stable.Image, ":"+tag) || st.Previous != nil || st.Canary != nil {
				return false, fmt.Sprintf("%s: stable %+v, canary %v, previous %v", s, st.Stable, st.Canary, st.Previous)
			}
		}
		deployments := f.kubectl("get", "deployments", "-o", "name")
		pods := f.kubectl("get", "pods", "-l", "fleet.movieexample.com/revision", "--field-selector=status.phase=Running", "-o", "name")
		return strings.Count(deployments, "\n") == 3 && strings.Count(pods, "\n") == 6, deployments + pods
	})
}

func scale(f *fleet) {
	f.kubectl("patch", "movieapp", "movies", "--type=merge", "-p", `{"spec":{"services":{"rating":{"replicas":3}}}}`)
	f.ready("movies", time.Minute)
	if fs := f.service("movies-rating"); fs.Status.Replicas != 3 || fs.Status.Ready != "3/3" {
		f.t.Errorf("after a scale-up: status.replicas = %d, ready = %q; want 3 and 3/3", fs.Status.Replicas, fs.Status.Ready)
	}
	f.kubectl("patch", "movieapp", "movies", "--type=merge", "-p", `{"spec":{"services":{"rating":{"replicas":2}}}}`)
	f.ready("movies", time.Minute)
}

// idle asserts that no object of ours changes in half a minute without a cause. A pod that a busy machine keeps from answering
// a probe is one: what its turns lead to is no write without need, and the half minute begins again.
func idle(f *fleet) {
	pods := func() string {
		return f.kubectl("get", "pods", "-o", `jsonpath={range .items[*]}{.metadata.name} {.status.containerStatuses[*].restartCount}`+
			`{range .status.conditions[*]} {.type}={.status} {.lastTransitionTime}{end}{"\n"}{end}`)
	}
	versions := func() string {
		return f.kubectl("get", "movieapps,fleetservices,deployments,services,configmaps,serviceaccounts,pdb,controllerrevisions,jobs",
			"-o", `jsonpath={range .items[*]}{.kind}/{.metadata.name} {.metadata.resourceVersion}{"\n"}{end}`)
	}
	var written string
	for range 4 {
		f.ready("movies", time.Minute)
		turns, before := pods(), versions()
		<-time.After(30 * time.Second) // the observation itself: nothing may happen in this time
		after := versions()
		if after == before {
			return
		}
		written = fmt.Sprintf("before:\n%s\nafter:\n%s", before, after)
		if pods() == turns {
			break
		}
		f.t.Logf("a pod has changed, and objects with it: %s", written)
	}
	f.t.Errorf("objects were written although nothing changed:\n%s", written)
}

// deleted: the application goes, in order, with what it had in Consul.
func deleted(f *fleet) {
	f.kubectl("delete", "movieapp", "movies", "--timeout=90s")
	left := f.kubectl("get", "fleetservices,deployments,pods,services,jobs,pdb", "-o", "name")
	f.eventually(2*time.Minute, "nothing but the ledgers is left", func() (bool, string) {
		left = f.kubectl("get", "fleetservices,deployments,pods,services,jobs,configmaps,controllerrevisions,pdb", "-l", "app.kubernetes.io/managed-by=movie-fleet", "-o", "name")
		others := slices.DeleteFunc(strings.Fields(left), func(o string) bool { return strings.HasPrefix(o, "configmap/fleet-ledger-") })
		return len(others) == 0, left
	})
	if entries := f.consul("/v1/config/service-resolver"); strings.Contains(entries, f.namespace+"-movies-") {
		f.t.Errorf("Consul still has entries of the application: %s", entries)
	}
}

// TestTwoAppsInOneNamespace: neither touches the other.
func TestTwoAppsInOneNamespace(t *testing.T) {
	f := newFleet(t, "two")
	f.applyApp(sample(t, nil))
	must(t, "hack/cluster/cluster", "secrets", f.namespace, "films")
	f.applyApp(sample(t, func(app *v1alpha1.MovieApp) {
		app.Name = "films"
		for name, s := range app.Spec.Services {
			s.Bindings.Consul.SecretRef.Name = "films-" + name + "-consul"
			if s.Bindings.MySQL != nil {
				s.Bindings.MySQL.SecretRef.Name = name + "2-mysql"
			}
		}
	}))
	f.ready("movies", 3*time.Minute)
	f.ready("films", 3*time.Minute)
	f.release("films", "v2")
	f.ready("films", 3*time.Minute)
	if image := f.service("movies-movie").Status.Stable.Image; !strings.HasSuffix(image, ":v1") {
		t.Errorf("a release of films changed movies: stable is %s, want v1", image)
	}
	f.kubectl("delete", "movieapp", "films", "--timeout=90s")
	f.ready("movies", time.Minute)
}

// TestNamespaceDeleted: a namespace that is deleted with a running fleet goes, and Consul forgets it.
func TestNamespaceDeleted(t *testing.T) {
	f := newFleet(t, "doomed")
	f.applyApp(sample(t, nil))
	f.ready("movies", 3*time.Minute)
	must(t, "hack/cluster/cluster", "kubectl", "delete", "namespace", "doomed", "--timeout=90s")
	if entries := f.consul("/v1/config/service-resolver"); strings.Contains(entries, "doomed-") {
		t.Errorf("Consul still has entries of the namespace: %s", entries)
	}
}

// TestStartsWithoutDependencies: with database and registry away the fleet waits, without a crash, and starts by itself when they are back.
func TestStartsWithoutDependencies(t *testing.T) {
	f := newFleet(t, "early")
	f.stop("mariadb")
	f.stop("consul")
	f.applyApp(sample(t, nil))
	f.is("movies-rating", v1alpha1.ConditionReady, metav1.ConditionFalse, "Migrating", time.Minute)
	f.start("mariadb")
	f.is("movies-rating", v1alpha1.ConditionReady, metav1.ConditionFalse, "DiscoveryUnavailable", 2*time.Minute)
	f.start("consul")
	f.ready("movies", 2*time.Minute)
	f.noRestarts()
}

// TestDemoOnAClusterOfYourOwn: the manifests of the demo's parts, which need images from outside, are such as an API server takes.
func TestDemoOnAClusterOfYourOwn(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "parts")
	f.kubectl("apply", "--dry-run=server", "-f", "hack/demo/parts.yaml")
}
