//go:build envtest

package movieapp_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/log"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/go-logr/logr"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/movieapp"
	"movieexample.com/fleet/test/apiserver"
)

var server *apiserver.Server

func TestMain(m *testing.M) {
	log.SetLogger(logr.Discard())
	os.Exit(apiserver.Main(m, func(s *apiserver.Server) { server = s }))
}

// stage is a namespace of its own, with the controller at work in it.
type stage struct {
	t         *testing.T
	c         client.WithWatch
	namespace string
	calls     *calls
	clock     clock.PassiveClock // of the controller; the real one where the test has none
}

// calls counts what the controller asks of the API server.
type calls struct {
	mu     sync.Mutex
	writes []*write
	reads  int
}

// write is a call that changes something, unless it was refused: then somebody else had written first.
type write struct {
	call    string
	refused bool
}

// note keeps a call, and returns what is to be told of its answer.
func (c *calls) note(r *http.Request) (answered func(*http.Response)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r.Method == http.MethodGet {
		if strings.Contains(r.URL.Path, "/secrets/") {
			c.reads++
		}
		return func(*http.Response) {}
	}
	w := &write{call: r.Method + " " + r.URL.Path}
	c.writes = append(c.writes, w)
	return func(answer *http.Response) {
		c.mu.Lock()
		defer c.mu.Unlock()
		w.refused = answer != nil && answer.StatusCode == http.StatusConflict
	}
}

// seen is how many writes were tried so far, and how often Secrets were read.
func (c *calls) seen() (writes, secretReads int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.writes), c.reads
}

// since are the writes after the first n that were not refused.
func (c *calls) since(n int) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var list []string
	for _, w := range c.writes[n:] {
		if !w.refused {
			list = append(list, w.call)
		}
	}
	return list
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// newStage makes a namespace and starts the controller in it, until the test ends.
func newStage(t *testing.T) *stage {
	t.Helper()
	s := emptyStage(t)
	s.start()
	return s
}

// emptyStage makes a namespace.
func emptyStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{t: t, c: server.Client(t), calls: &calls{}}
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "cinema-"}}
	if err := s.c.Create(t.Context(), ns); err != nil {
		t.Fatal(err)
	}
	s.namespace = ns.Name
	return s
}

// start runs a manager until the test ends.
func (s *stage) start() {
	s.t.Helper()
	own := rest.CopyConfig(server.Config)
	own.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			answered := s.calls.note(r)
			answer, err := next.RoundTrip(r)
			answered(answer)
			return answer, err
		})
	})
	again := true // each test runs a controller of this name
	mgr, err := ctrl.NewManager(own, ctrl.Options{
		Scheme:     server.Scheme,
		Metrics:    metricsserver.Options{BindAddress: "0"},
		Cache:      cache.Options{DefaultNamespaces: map[string]cache.Config{s.namespace: {}}},
		Controller: config.Controller{SkipNameValidation: &again},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	if err := movieapp.SetupWithManager(mgr, movieapp.Options{Clock: s.clock}); err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- mgr.Start(ctx) }()
	s.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			s.t.Errorf("the manager ended with %v", err)
		}
	})
}

// eventually waits until what returns "", and fails with what it returned last.
func (s *stage) eventually(what func() string) {
	s.t.Helper()
	deadline := time.Now().Add(time.Minute)
	last := what()
	for last != "" {
		if time.Now().After(deadline) {
			s.t.Fatalf("after a minute still: %s", last)
		}
		time.Sleep(20 * time.Millisecond)
		last = what()
	}
}

func (s *stage) create(objects ...client.Object) {
	s.t.Helper()
	for _, o := range objects {
		o.SetNamespace(s.namespace)
		if err := s.c.Create(s.t.Context(), o, client.FieldOwner("tester")); err != nil {
			s.t.Fatal(err)
		}
	}
}

// secrets makes the Secrets that the sample binds.
func (s *stage) secrets() {
	s.t.Helper()
	s.create(mysqlSecret("metadata"), mysqlSecret("rating"))
	for _, of := range []string{"consul-admin", "metadata-consul", "rating-consul", "movie-consul"} {
		s.create(secret("movies-"+of, map[string]string{"type": "consul", "host": "consul", "port": "8500"}))
	}
}

func secret(name string, data map[string]string) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name}, StringData: data}
}

func mysqlSecret(service string) *corev1.Secret {
	return secret(service+"-mysql", map[string]string{
		"type": "mysql", "host": "db", "port": "3306", "username": service, "password": "secret", "database": service,
	})
}

func (s *stage) app(name string) *v1alpha1.MovieApp {
	s.t.Helper()
	app := &v1alpha1.MovieApp{}
	if err := s.c.Get(s.t.Context(), client.ObjectKey{Namespace: s.namespace, Name: name}, app); err != nil {
		s.t.Fatal(err)
	}
	return app
}

// fleet are the FleetServices of the namespace by name.
func (s *stage) fleet() map[string]*v1alpha1.FleetService {
	s.t.Helper()
	list := &v1alpha1.FleetServiceList{}
	if err := s.c.List(s.t.Context(), list, client.InNamespace(s.namespace)); err != nil {
		s.t.Fatal(err)
	}
	out := map[string]*v1alpha1.FleetService{}
	for i := range list.Items {
		out[list.Items[i].Name] = &list.Items[i]
	}
	return out
}

// await waits for a FleetService with an image.
func (s *stage) await(name, image string) *v1alpha1.FleetService {
	s.t.Helper()
	s.eventually(func() string {
		if fs := s.fleet()[name]; fs == nil || fs.Spec.Image != image {
			return fmt.Sprintf("FleetService %s has not image %s", name, image)
		}
		return ""
	})
	return s.fleet()[name]
}

// edit changes a MovieApp as a user would.
func (s *stage) edit(name string, change func(*v1alpha1.MovieApp)) {
	s.t.Helper()
	app := s.app(name)
	before := app.DeepCopy()
	change(app)
	if err := s.c.Patch(s.t.Context(), app, client.MergeFrom(before), client.FieldOwner("tester")); err != nil {
		s.t.Fatal(err)
	}
}

// serve writes what the FleetService controller would: these services serve with the spec that they have.
func (s *stage) serve(names ...string) {
	s.t.Helper()
	for _, n := range names {
		s.becomes(n, true, "2 of 2 pods ready")
	}
}

// becomes writes a FleetService's status: it serves, or is taken back.
func (s *stage) becomes(name string, serves bool, message string) {
	s.t.Helper()
	fs := s.fleet()[name]
	fs.Status.ObservedGeneration, fs.Status.Phase, fs.Status.Ready = fs.Generation, "Serving", "2/2"
	ready, stalled := metav1.ConditionTrue, metav1.ConditionFalse
	if serves {
		fs.Status.Stable = &v1alpha1.RevisionStatus{Hash: "abc", Image: fs.Spec.Image, Since: metav1.Now()}
	} else {
		fs.Status.Phase, ready, stalled = "TakenBack", metav1.ConditionFalse, metav1.ConditionTrue
	}
	fs.Status.Conditions = nil
	for kind, status := range map[string]metav1.ConditionStatus{
		v1alpha1.ConditionReady: ready, v1alpha1.ConditionStalled: stalled, v1alpha1.ConditionAvailable: metav1.ConditionTrue,
	} {
		fs.Status.Conditions = append(fs.Status.Conditions, metav1.Condition{
			Type: kind, Status: status, Reason: "Test", Message: message, ObservedGeneration: fs.Generation, LastTransitionTime: metav1.Now(),
		})
	}
	if err := s.c.Status().Update(s.t.Context(), fs, client.FieldOwner("tester")); err != nil {
		s.t.Fatal(err)
	}
}

// awaitCondition waits until a condition of a MovieApp has a status and its message says something.
func (s *stage) awaitCondition(app, kind string, status metav1.ConditionStatus, says string) {
	s.t.Helper()
	s.eventually(func() string {
		var last string
		a := s.app(app)
		for _, c := range a.Status.Conditions {
			if c.Type != kind {
				continue
			}
			if c.Status == status && strings.Contains(c.Message, says) && c.ObservedGeneration == a.Generation {
				return ""
			}
			last = fmt.Sprintf("%s=%s %s: %s", c.Type, c.Status, c.Reason, c.Message)
		}
		return fmt.Sprintf("%s is %q, want %s with %q", kind, last, status, says)
	})
}
