//go:build envtest

package traffic_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/log"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/fleetservice/traffic"
	"movieexample.com/fleet/controllers/internal/apply"
	"movieexample.com/fleet/test/apiserver"
)

var server *apiserver.Server

func TestMain(m *testing.M) {
	log.SetLogger(logr.Discard())
	os.Exit(apiserver.Main(m, func(s *apiserver.Server) { server = s }))
}

// stage is a namespace of its own with the service "movie".
type stage struct {
	t     *testing.T
	c     client.WithWatch
	fs    *v1alpha1.FleetService
	clock *clocktesting.FakeClock
	// gets and writes count the calls of the providers.
	gets, writes int

	apply  traffic.Apply
	remove traffic.Remove
	// counted is the client that the providers use.
	counted client.Client
}

// newStage makes the service; spec is YAML in flow style of spec.traffic.
func newStage(t *testing.T, policy string) *stage {
	t.Helper()
	s := &stage{t: t, c: server.Client(t), clock: clocktesting.NewFakeClock(time.Now())}
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "traffic-"}}
	if err := s.c.Create(t.Context(), ns); err != nil {
		t.Fatalf("create a namespace: %v", err)
	}
	s.fs = &v1alpha1.FleetService{ObjectMeta: metav1.ObjectMeta{Namespace: ns.Name, Name: "movie"}}
	s.fs.Spec.Image, s.fs.Spec.Ports = "movie:1", &v1alpha1.Ports{GRPC: 8083, HTTP: 8183}
	s.fs.Spec.Bindings = &v1alpha1.Bindings{Consul: &v1alpha1.ConsulBinding{SecretRef: v1alpha1.SecretReference{Name: "consul"}}}
	s.policy(policy)
	if err := s.c.Create(t.Context(), s.fs); err != nil {
		t.Fatalf("create the service: %v", err)
	}
	s.counted = interceptor.NewClient(s.c, s.count())
	applier := apply.New(s.counted, s.counted, "fleet-fleetservice")
	s.apply = func(ctx context.Context, _ *v1alpha1.FleetService, child client.Object) error {
		_, err := applier.Apply(ctx, child)
		return err
	}
	s.remove = func(ctx context.Context, o client.Object) error {
		return client.IgnoreNotFound(s.counted.Delete(ctx, o))
	}
	return s
}

func (s *stage) count() interceptor.Funcs {
	return interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
			s.gets++
			return c.Get(ctx, key, o, opts...)
		},
		Apply: func(ctx context.Context, c client.WithWatch, o runtime.ApplyConfiguration, opts ...client.ApplyOption) error {
			s.writes++
			return c.Apply(ctx, o, opts...)
		},
		Delete: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.DeleteOption) error {
			s.writes++
			return c.Delete(ctx, o, opts...)
		},
	}
}

// policy sets spec.traffic, without a write: providers are given the service as it is.
func (s *stage) policy(text string) {
	s.t.Helper()
	s.fs.Spec.Traffic = &v1alpha1.TrafficPolicy{}
	if err := yaml.UnmarshalStrict([]byte(text), s.fs.Spec.Traffic); err != nil {
		s.t.Fatalf("policy %s: %v", text, err)
	}
}

func (s *stage) target() traffic.Target { return traffic.Target{Service: s.fs} }

func (s *stage) move(p traffic.Provider, split traffic.Split) {
	s.t.Helper()
	if err := p.Move(s.t.Context(), s.target(), split); err != nil {
		s.t.Fatalf("Move to %+v = %v", split, err)
	}
}

func (s *stage) follows(p traffic.Provider, split traffic.Split, want bool) {
	s.t.Helper()
	if got, err := p.Follows(s.t.Context(), s.target(), split); got != want || err != nil {
		s.t.Errorf("Follows %+v = %t, %v, want %t", split, got, err, want)
	}
}

// get reads the object of that name into o.
func get[O client.Object](s *stage, name string, o O) O {
	s.t.Helper()
	if err := s.c.Get(s.t.Context(), client.ObjectKey{Namespace: s.fs.Namespace, Name: name}, o); err != nil {
		s.t.Fatalf("get %T %s: %v", o, name, err)
	}
	return o
}

// edit changes an object as a person with kubectl does.
func edit[O client.Object](s *stage, name string, o O, change func(O)) {
	s.t.Helper()
	change(get(s, name, o))
	if err := s.c.Update(s.t.Context(), o, client.FieldOwner("kubectl-edit")); err != nil {
		s.t.Fatalf("edit %T %s: %v", o, name, err)
	}
}

// gatewayCRDs is the folder of the Gateway API's definitions, in the Go module that the operator's types are from.
func gatewayCRDs(t *testing.T) envtest.CRDInstallOptions {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/gateway-api").Output()
	if err != nil {
		t.Fatalf("find the Gateway API's definitions: %v", err)
	}
	dir := filepath.Join(strings.TrimSpace(string(out)), "config", "crd", "standard")
	return envtest.CRDInstallOptions{ErrorIfPathMissing: true, MaxTime: time.Minute, Paths: []string{
		filepath.Join(dir, "gateway.networking.k8s.io_httproutes.yaml"), filepath.Join(dir, "gateway.networking.k8s.io_grpcroutes.yaml"),
	}}
}

// withGatewayAPI installs the Gateway API, unless it is there.
func withGatewayAPI(t *testing.T) {
	t.Helper()
	if _, err := envtest.InstallCRDs(server.Config, gatewayCRDs(t)); err != nil {
		t.Fatalf("install the Gateway API: %v", err)
	}
}

// withoutGatewayAPI removes it, and waits until the API server serves it no more.
func withoutGatewayAPI(t *testing.T) {
	t.Helper()
	if err := envtest.UninstallCRDs(server.Config, gatewayCRDs(t)); err != nil {
		t.Fatalf("remove the Gateway API: %v", err)
	}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		err := server.Client(t).List(t.Context(), &gatewayv1.HTTPRouteList{})
		if meta.IsNoMatchError(err) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("30 s after its removal the Gateway API is still there: %v", err)
		}
	}
}
