//go:build chart && envtest

package chart

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// server is a real kube-apiserver with the namespaces that the tests install into.
type server struct {
	client.Client
	kubeconfig string
}

func startServer(t *testing.T) server {
	t.Helper()
	// A busy machine may take so long.
	env := &envtest.Environment{ControlPlaneStartTimeout: 2 * time.Minute, ControlPlaneStopTimeout: time.Minute}
	config, err := env.Start()
	if err != nil {
		t.Fatalf("start kube-apiserver: %v (run these tests with `make test-chart-admission`)", err)
	}
	t.Cleanup(func() {
		if err := env.Stop(); err != nil {
			t.Errorf("stop kube-apiserver: %v", err)
		}
	})
	c, err := client.New(config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(kubeconfig, env.KubeConfig, 0o600); err != nil {
		t.Fatal(err)
	}
	s := server{Client: c, kubeconfig: kubeconfig}
	for _, name := range []string{namespace, "movies", "staging", "elsewhere"} {
		s.create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
			Name:   name,
			Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"},
		}})
	}
	return s
}

// eventually asks for a while: what a server was given, definitions and rights, it knows a moment later.
func eventually(ask func() bool) bool {
	for deadline := time.Now().Add(30 * time.Second); !ask(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}

func (s server) create(t *testing.T, o client.Object, opts ...client.CreateOption) {
	t.Helper()
	if err := s.Create(t.Context(), o, opts...); err != nil {
		t.Fatalf("create %T %s: %v", o, o.GetName(), err)
	}
}

// helm runs a command of helm against the server.
func (s server) helm(t *testing.T, args ...string) string {
	t.Helper()
	args = append(args, "--kubeconfig", s.kubeconfig, "--namespace", namespace)
	out, err := run(t, tool(t, "HELM"), args...)
	if err != nil {
		t.Fatalf("helm %v: %v", args, err)
	}
	return string(out)
}

// may asks the server whether the operator's account may do something.
func (s server) may(t *testing.T, verb, group, resource, in string) bool {
	t.Helper()
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: "system:serviceaccount:" + namespace + ":" + release,
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Verb: verb, Group: group, Resource: resource, Namespace: in, Name: "x",
		},
	}}
	s.create(t, review)
	return review.Status.Allowed
}

func TestServerTakesEveryRenderedObject(t *testing.T) {
	s := startServer(t)
	variants := map[string][]*unstructured.Unstructured{"kustomize": kustomized(t)}
	for _, name := range []string{"default", "namespaced", "everything"} {
		variants[name] = rendered(t, "--values", "testdata/"+name+".values.yaml")
	}
	for name, objects := range variants {
		t.Run(name, func(t *testing.T) {
			for _, o := range objects {
				err := s.Create(t.Context(), o.DeepCopy(), client.DryRunAll, client.FieldValidation("Strict"))
				if err != nil && !apierrors.IsAlreadyExists(err) {
					t.Errorf("%s is refused: %v", key(o), err)
				}
				if o.GetKind() == "Deployment" {
					s.takesPodOf(t, o)
				}
			}
		})
	}
}

// takesPodOf creates the pod that the Deployment would create, in a namespace of Pod Security restricted.
func (s server) takesPodOf(t *testing.T, deployment *unstructured.Unstructured) {
	t.Helper()
	template, _ := field(t, deployment, "spec", "template").(map[string]any)
	pod := &corev1.Pod{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(template, pod); err != nil {
		t.Fatal(err)
	}
	pod.Name, pod.Namespace = "operator", namespace
	if err := s.Create(t.Context(), pod, client.DryRunAll); err != nil {
		t.Errorf("pod of %s is refused: %v", key(deployment), err)
	}
}

func TestServerKeepsTheFleetWhenTheChartIsUninstalled(t *testing.T) {
	s := startServer(t)
	notes := s.helm(t, "install", release, chartPath)
	for _, want := range []string{"rollout status deployment/movie-fleet", "kubectl get movieapps,fleetservices", "leaves the fleet running"} {
		if !strings.Contains(notes, want) {
			t.Errorf("the notes after the installation do not say %q:\n%s", want, notes)
		}
	}
	s.helm(t, "upgrade", release, chartPath, "--set", "log.level=debug")
	service := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "fleet.movieexample.com/v1alpha1",
		"kind":       "FleetService",
		"metadata":   map[string]any{"name": "rating", "namespace": "movies", "finalizers": []any{"fleet.movieexample.com/finalizer"}},
		"spec":       map[string]any{"image": "ghcr.io/movieexample/rating:0.1.0"},
	}}
	var err error
	if !eventually(func() bool { err = s.Create(t.Context(), service.DeepCopy()); return err == nil }) {
		t.Fatalf("create a FleetService: %v", err)
	}

	s.helm(t, "uninstall", release)

	if err := s.Get(t.Context(), client.ObjectKeyFromObject(service), service); err != nil {
		t.Fatalf("after helm uninstall the FleetService cannot be read: %v", err)
	}
	if service.GetDeletionTimestamp() != nil {
		t.Error("helm uninstall deletes the FleetService")
	}
	deployment := &unstructured.Unstructured{}
	deployment.SetAPIVersion("apps/v1")
	deployment.SetKind("Deployment")
	err = s.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: release}, deployment)
	if !apierrors.IsNotFound(err) {
		t.Errorf("after helm uninstall the operator's Deployment: %v, want not found", err)
	}
	s.helm(t, "install", release, chartPath) // takes over the definitions that were kept
}

func TestServerLetsTheOperatorWorkWhereItIsTold(t *testing.T) {
	tests := map[string]struct {
		args      []string
		elsewhere bool
	}{
		"everywhere by default": {nil, true},
		"only where it is told": {[]string{"--set", "watchNamespaces={movies,staging}", "--set", "crds.install=false"}, false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			s := startServer(t)
			s.helm(t, append([]string{"install", release, chartPath}, tc.args...)...)
			checks := []struct {
				verb, group, resource, in string
				want                      bool
			}{
				{"update", "fleet.movieexample.com", "fleetservices/status", "movies", true},
				{"patch", "apps", "deployments", "staging", true},
				{"get", "", "secrets", "movies", true},
				{"get", "", "secrets", "elsewhere", tc.elsewhere},
				{"list", "", "secrets", "movies", false},
				{"list", "", "secrets", "", false},
				{"create", "coordination.k8s.io", "leases", namespace, true},
				{"create", "coordination.k8s.io", "leases", "movies", false},
			}
			for _, c := range checks { // when it knows all that is granted, it can be asked what is not
				if c.want {
					eventually(func() bool { return s.may(t, c.verb, c.group, c.resource, c.in) })
				}
			}
			for _, c := range checks {
				if got := s.may(t, c.verb, c.group, c.resource, c.in); got != c.want {
					t.Errorf("operator may %s %s in %q = %v, want %v", c.verb, c.resource, c.in, got, c.want)
				}
			}
		})
	}
}
