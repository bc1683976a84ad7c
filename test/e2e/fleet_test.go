//go:build e2e

package e2e

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"movieexample.com/fleet/api/v1alpha1"
)

const operatorNamespace = "movie-fleet-system"

// fleet is one namespace with one or more MovieApps.
type fleet struct {
	t            *testing.T
	namespace    string
	agent, token string // Consul's address, and a token that may do what the operator may
}

// in is the same fleet, seen by a subtest.
func (f *fleet) in(t *testing.T) *fleet {
	sub := *f
	sub.t = t
	return &sub
}

// binding is a value of a bound Secret.
func (f *fleet) binding(secret, key string) string {
	f.t.Helper()
	raw, err := base64.StdEncoding.DecodeString(f.kubectl("get", "secret", secret, "-o", "jsonpath={.data."+key+"}"))
	if err != nil {
		f.t.Fatalf("read %s of Secret %s: %v", key, secret, err)
	}
	return string(raw)
}

// newFleet makes a namespace with the Secrets of the parts, deleted with the test.
func newFleet(t *testing.T, namespace string) *fleet {
	t.Helper()
	f := &fleet{t: t, namespace: namespace}
	must(t, "hack/cluster/cluster", "secrets", namespace, "movies")
	f.agent = f.binding("movies-consul-admin", "host") + ":" + f.binding("movies-consul-admin", "port")
	f.token = f.binding("movies-consul-admin", "token")
	t.Cleanup(func() {
		if t.Failed() {
			f.dump()
		}
		if _, err := run("hack/cluster/cluster", "kubectl", "delete", "namespace", namespace, "--ignore-not-found", "--timeout=120s"); err != nil {
			t.Errorf("the namespace does not go: %v", err)
		}
	})
	return f
}

func must(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := run(name, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// kubectl runs kubectl in the fleet's namespace.
func (f *fleet) kubectl(args ...string) string {
	f.t.Helper()
	return must(f.t, "hack/cluster/cluster", append([]string{"kubectl", "-n", f.namespace}, args...)...)
}

// apply gives kubectl a manifest on its standard input and returns what it printed.
func (f *fleet) apply(manifest string) (string, error) {
	cmd := exec.Command("hack/cluster/cluster", "kubectl", "-n", f.namespace, "apply", "-f", "-")
	cmd.Dir, cmd.Stdin = root, strings.NewReader(manifest)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// sample is the MovieApp of config/samples, changed as the test needs.
func sample(t *testing.T, change func(*v1alpha1.MovieApp)) *v1alpha1.MovieApp {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(root, "config/samples/movieapp.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	app := &v1alpha1.MovieApp{}
	if err := yaml.UnmarshalStrict(raw, app); err != nil {
		t.Fatal(err)
	}
	// What is not about canaries is not slowed by them.
	app.Spec.Rollout = &v1alpha1.RolloutPolicy{Steps: []int32{}, Bake: &metav1.Duration{}}
	if change != nil {
		change(app)
	}
	return app
}

func (f *fleet) applyApp(app *v1alpha1.MovieApp) {
	f.t.Helper()
	raw, err := json.Marshal(app)
	if err != nil {
		f.t.Fatal(err)
	}
	content := map[string]any{}
	if err := json.Unmarshal(raw, &content); err != nil {
		f.t.Fatal(err)
	}
	delete(content, "status")
	manifest, err := yaml.Marshal(content)
	if err != nil {
		f.t.Fatal(err)
	}
	if out, err := f.apply(string(manifest)); err != nil {
		f.t.Fatalf("apply the MovieApp: %v: %s", err, out)
	}
}

// release asks for another tag of a MovieApp.
func (f *fleet) release(app, tag string) {
	f.t.Helper()
	f.kubectl("patch", "movieapp", app, "--type=merge", "-p", fmt.Sprintf(`{"spec":{"image":{"tag":%q}}}`, tag))
}

func (f *fleet) app(name string) *v1alpha1.MovieApp {
	f.t.Helper()
	app := &v1alpha1.MovieApp{}
	f.get(app, "movieapp", name)
	return app
}

// service is a FleetService, empty while it does not exist.
func (f *fleet) service(name string) *v1alpha1.FleetService {
	f.t.Helper()
	fs := &v1alpha1.FleetService{}
	if f.kubectl("get", "fleetservice", name, "--ignore-not-found", "-o", "name") != "" {
		f.get(fs, "fleetservice", name)
	}
	return fs
}

func (f *fleet) get(into any, kind, name string) {
	f.t.Helper()
	if err := json.Unmarshal([]byte(f.kubectl("get", kind, name, "-o", "json")), into); err != nil {
		f.t.Fatalf("read %s %s: %v", kind, name, err)
	}
}

// ready waits until the MovieApp is Ready at its newest spec.
func (f *fleet) ready(name string, within time.Duration) {
	f.t.Helper()
	f.eventually(within, "MovieApp "+name+" is Ready", func() (bool, string) {
		app := f.app(name)
		ready := condition(app.Status.Conditions, v1alpha1.ConditionReady)
		return ready.Status == metav1.ConditionTrue && app.Status.ObservedGeneration == app.Generation, ready.Reason + ": " + ready.Message
	})
}

// eventually asks until the answer is yes, and says what it last heard if it never is.
func (f *fleet) eventually(within time.Duration, what string, ask func() (bool, string)) {
	f.t.Helper()
	f.asks(200*time.Millisecond, within, what, ask)
}

// asks asks again and again, with a pause between.
func (f *fleet) asks(pause, within time.Duration, what string, ask func() (bool, string)) {
	f.t.Helper()
	said := ""
	for deadline := time.Now().Add(within); time.Now().Before(deadline); time.Sleep(pause) {
		var yes bool
		if yes, said = ask(); yes {
			return
		}
	}
	f.t.Fatalf("not within %s: %s; last: %s", within, what, said)
}

func condition(list []metav1.Condition, kind string) metav1.Condition {
	for _, c := range list {
		if c.Type == kind {
			return c
		}
	}
	return metav1.Condition{}
}

// is waits until a service's condition has a status and a message with some words in it.
func (f *fleet) is(service, kind string, status metav1.ConditionStatus, words string, within time.Duration) metav1.Condition {
	f.t.Helper()
	var c metav1.Condition
	f.eventually(within, fmt.Sprintf("%s %s=%s with %q", service, kind, status, words), func() (bool, string) {
		c = condition(f.service(service).Status.Conditions, kind)
		return c.Status == status && strings.Contains(c.Reason+": "+c.Message, words), fmt.Sprintf("%s=%s %s: %s", c.Type, c.Status, c.Reason, c.Message)
	})
	return c
}

// dump shows what a person would look at after a failure.
func (f *fleet) dump() {
	for _, args := range [][]string{
		{"-n", f.namespace, "get", "movieapps,ratingingestors,fleetservices,deployments,pods,jobs,services", "-o", "wide"},
		{"-n", f.namespace, "get", "events", "--sort-by=.lastTimestamp"},
		{"-n", operatorNamespace, "logs", "deployment/movie-fleet", "--tail=60"},
	} {
		out, err := run("hack/cluster/cluster", append([]string{"kubectl"}, args...)...)
		f.t.Logf("kubectl %s\n%s%v", strings.Join(args, " "), out, err)
	}
}
