//go:build envtest

package fleetservice_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/events"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/yaml"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/fleetservice"
	"movieexample.com/fleet/test/apiserver"
)

var server *apiserver.Server

func TestMain(m *testing.M) {
	log.SetLogger(logr.Discard())
	os.Exit(apiserver.Main(m, func(s *apiserver.Server) { server = s }))
}

// stage is a namespace of its own with the service "rating", a clock that the test moves, and a reconciler that it calls.
// world plays Kubernetes' controllers and the kubelet.
type stage struct {
	t         *testing.T
	c         client.WithWatch
	namespace string
	clock     *clocktesting.FakeClock
	recorder  *events.FakeRecorder
	world     *world

	// restart makes every reconcile the first of a new process.
	restart    bool
	reconciler *fleetservice.Reconciler
	// writes are the calls that change something, as the reconciler made them.
	writes []string
	// before and after are asked at each write; an error ends the reconcile there, as a crash of the process does.
	before, after func(write string) error
	// hide is true of objects that the cache does not hold; nil for none.
	hide func(client.Object) bool
}

// errCrash is how a test ends a process in the middle of a reconcile.
var errCrash = errors.New("the process ends here")

func newStage(t *testing.T) *stage {
	t.Helper()
	t.Parallel() // each has a namespace of its own, and mostly waits for the API server
	c := server.Client(t)
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "fs-"}}
	if err := c.Create(t.Context(), ns); err != nil {
		t.Fatalf("create a namespace: %v", err)
	}
	s := &stage{
		t: t, c: c, namespace: ns.Name, recorder: events.NewFakeRecorder(1000),
		clock: clocktesting.NewFakeClock(time.Now().Truncate(time.Second)), // as the API server stamps objects
	}
	s.world = &world{stage: s, behaviors: map[string]behavior{}}
	return s
}

// process is the reconciler of the present process, or of a new one.
func (s *stage) process() *fleetservice.Reconciler {
	if s.reconciler == nil || s.restart {
		c := interceptor.NewClient(s.c, s.intercept())
		cache := interceptor.NewClient(c, interceptor.Funcs{Get: s.cached})
		s.reconciler = fleetservice.New(cache, c, s.recorder, s.clock)
	}
	return s.reconciler
}

// note records a write and lets the test end the process before or after it.
func (s *stage) note(write string, do func() error) error {
	s.writes = append(s.writes, write)
	if s.before != nil {
		if err := s.before(write); err != nil {
			return err
		}
	}
	if err := do(); err != nil {
		return err
	}
	if s.after != nil {
		return s.after(write)
	}
	return nil
}

// cached reads as from a cache.
func (s *stage) cached(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
	named := o.DeepCopyObject().(client.Object)
	named.SetName(key.Name)
	if s.hide != nil && s.hide(named) {
		return apierrors.NewNotFound(schema.GroupResource{}, key.Name)
	}
	return c.Get(ctx, key, o, opts...)
}

func (s *stage) intercept() interceptor.Funcs {
	kind := func(o client.Object) string {
		gvk, err := s.c.GroupVersionKindFor(o)
		if err != nil {
			s.t.Errorf("kind of %T: %v", o, err)
		}
		return gvk.Kind + " " + o.GetName()
	}
	return interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
			all := client.CreateOptions{}
			all.ApplyOptions(opts)
			if len(all.DryRun) > 0 {
				return c.Create(ctx, o, opts...)
			}
			return s.note("create "+kind(o), func() error { return c.Create(ctx, o, opts...) })
		},
		Update: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.UpdateOption) error {
			return s.note("update "+kind(o), func() error { return c.Update(ctx, o, opts...) })
		},
		Patch: func(ctx context.Context, c client.WithWatch, o client.Object, p client.Patch, opts ...client.PatchOption) error {
			return s.note("patch "+kind(o), func() error { return c.Patch(ctx, o, p, opts...) })
		},
		Delete: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.DeleteOption) error {
			return s.note("delete "+kind(o), func() error { return c.Delete(ctx, o, opts...) })
		},
		Apply: func(ctx context.Context, c client.WithWatch, o runtime.ApplyConfiguration, opts ...client.ApplyOption) error {
			return s.note("apply", func() error { return c.Apply(ctx, o, opts...) })
		},
		SubResourceUpdate: func(ctx context.Context, c client.Client, sub string, o client.Object, opts ...client.SubResourceUpdateOption) error {
			return s.note(sub+" "+kind(o), func() error { return c.SubResource(sub).Update(ctx, o, opts...) })
		},
	}
}

// rating is the service; spec is YAML in flow style, such as {image: "x:1"}.
func (s *stage) rating(spec string) *v1alpha1.FleetService {
	s.t.Helper()
	fs := &v1alpha1.FleetService{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "rating"}}
	if err := yaml.UnmarshalStrict([]byte(spec), &fs.Spec); err != nil {
		s.t.Fatalf("spec %s: %v", spec, err)
	}
	if fs.Spec.Rollout == nil { // what is not about canaries is not slowed by them
		fs.Spec.Rollout = &v1alpha1.RolloutPolicy{Steps: []int32{}, Bake: &metav1.Duration{}}
	}
	return fs
}

// install creates the service.
func (s *stage) install(spec string) {
	s.t.Helper()
	if err := s.c.Create(s.t.Context(), s.rating(spec)); err != nil {
		s.t.Fatalf("create the service: %v", err)
	}
}

// change replaces the spec.
func (s *stage) change(spec string) {
	s.t.Helper()
	fs := s.get()
	fs.Spec = s.rating(spec).Spec
	if err := s.c.Update(s.t.Context(), fs); err != nil {
		s.t.Fatalf("change the service: %v", err)
	}
}

func (s *stage) get() *v1alpha1.FleetService {
	s.t.Helper()
	fs := &v1alpha1.FleetService{}
	if err := s.c.Get(s.t.Context(), client.ObjectKey{Namespace: s.namespace, Name: "rating"}, fs); err != nil {
		s.t.Fatalf("get the service: %v", err)
	}
	return fs
}

// reconcile calls the reconciler once.
func (s *stage) reconcile() (reconcile.Result, error) {
	return s.process().Reconcile(s.t.Context(), reconcile.Request{NamespacedName: client.ObjectKey{Namespace: s.namespace, Name: "rating"}})
}

// rounds bounds how often a test lets everybody act: more than any story needs. Between two rounds goes a tick.
const (
	rounds = 100
	tick   = 2 * time.Second
)

// mayFail are the errors that a test of faults brings about.
func mayFail(err error) bool {
	return err == nil || errors.Is(err, errCrash) || strings.Contains(err.Error(), "consul at")
}

// step lets the reconciler act once, then the world, then a second pass.
func (s *stage) step() {
	s.t.Helper()
	if _, err := s.reconcile(); !mayFail(err) {
		s.t.Fatalf("Reconcile = %v", err)
	}
	s.world.play()
	s.clock.Step(tick)
}

// until lets everybody act until the service is as wanted.
func (s *stage) until(what string, is func(*v1alpha1.FleetService) bool) *v1alpha1.FleetService {
	s.t.Helper()
	for range rounds {
		s.step()
		if fs := s.get(); is(fs) {
			return fs
		}
	}
	status, _ := yaml.Marshal(s.get().Status)
	s.t.Fatalf("%s did not come within %s; status:\n%s", what, rounds*tick, status)
	return nil
}

// serving waits until the image serves alone and all is said and done.
func (s *stage) serving(image string) *v1alpha1.FleetService {
	s.t.Helper()
	return s.until(image+" serving", func(fs *v1alpha1.FleetService) bool {
		st := fs.Status
		return st.Phase == "Serving" && st.Stable != nil && st.Stable.Image == image && st.Canary == nil && st.Previous == nil &&
			st.ObservedGeneration == fs.Generation
	})
}

func (s *stage) phase(want string) *v1alpha1.FleetService {
	s.t.Helper()
	return s.until("phase "+want, func(fs *v1alpha1.FleetService) bool { return fs.Status.Phase == want })
}

// told returns the events since the last call that hold a word.
func (s *stage) told(word string) []string {
	var found []string
	for {
		select {
		case e := <-s.recorder.Events:
			if strings.Contains(e, word) {
				found = append(found, e)
			}
		default:
			return found
		}
	}
}

// condition is "True Reason: message" of a condition, empty when there is none.
func condition(fs *v1alpha1.FleetService, kind string) string {
	for _, c := range fs.Status.Conditions {
		if c.Type == kind {
			return string(c.Status) + " " + c.Reason + ": " + c.Message
		}
	}
	return ""
}

// wantCondition checks that a condition begins with a text and holds others.
func (s *stage) wantCondition(fs *v1alpha1.FleetService, kind, begin string, holds ...string) {
	s.t.Helper()
	got := condition(fs, kind)
	if !strings.HasPrefix(got, begin) {
		s.t.Errorf("condition %s = %q, want it to begin with %q", kind, got, begin)
	}
	for _, text := range holds {
		if !strings.Contains(got, text) {
			s.t.Errorf("condition %s = %q, want it to hold %q", kind, got, text)
		}
	}
}

// wantQuiet checks that looking again writes nothing.
func (s *stage) wantQuiet(when string) {
	s.t.Helper()
	s.step() // what the last step showed may still be written down
	s.writes = nil
	for range 10 {
		if _, err := s.reconcile(); !mayFail(err) {
			s.t.Errorf("%s: Reconcile = %v", when, err)
		}
		s.clock.Step(tick)
	}
	if len(s.writes) > 0 {
		s.t.Errorf("%s: %q, want no write while nothing changes", when, s.writes)
	}
}
