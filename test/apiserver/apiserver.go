//go:build envtest

package apiserver

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	k8sruntime "k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"movieexample.com/fleet/api/v1alpha1"
)

// assets names the environment variable that holds the directory of etcd, kube-apiserver and kubectl.
const assets = "KUBEBUILDER_ASSETS"

// How long a busy machine may take, with several servers that start at the same time.
const (
	startTime = 2 * time.Minute
	stopTime  = time.Minute
)

// Server is a running API server. There are no controllers behind it: what Kubernetes' own controllers would do
// (garbage collection, pods, namespaces that go away) does not happen.
type Server struct {
	// Config reaches the server as its administrator.
	Config *rest.Config
	// Scheme knows Kubernetes' kinds, the Gateway API's and ours.
	Scheme *k8sruntime.Scheme

	env *envtest.Environment
}

// Main runs a package's tests with a server and returns the exit code. Run hands the server over before the first test.
func Main(m *testing.M, run func(*Server)) int {
	s, err := start()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	run(s)
	code := m.Run()
	if err := s.env.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, "stop the API server:", err)
		return 1
	}
	return code
}

// Client is an uncached client of the server.
func (s *Server) Client(t testing.TB) client.WithWatch {
	t.Helper()
	c, err := client.NewWithWatch(s.Config, client.Options{Scheme: s.Scheme})
	if err != nil {
		t.Fatalf("make a client: %v", err)
	}
	return c
}

// User makes an administrator's kubeconfig for kubectl.
func (s *Server) User() ([]byte, error) {
	user, err := s.env.AddUser(envtest.User{Name: "tester", Groups: []string{"system:masters"}}, nil)
	if err != nil {
		return nil, fmt.Errorf("add a user: %w", err)
	}
	return user.KubeConfig()
}

// Kubectl is the path of the kubectl that fits the server.
func Kubectl() string { return filepath.Join(os.Getenv(assets), "kubectl") }

// Root is the top directory of the repository: the first one above the test's that is a module. (Where this file was
// compiled tells nothing under -trimpath.)
func Root() string {
	dir, err := os.Getwd()
	for err == nil && dir != filepath.Dir(dir) {
		if _, missing := os.Stat(filepath.Join(dir, "go.mod")); missing == nil {
			return dir
		}
		dir = filepath.Dir(dir)
	}
	return dir
}

func start() (*Server, error) {
	if os.Getenv(assets) == "" {
		return nil, errors.New(assets + " is not set: run `make test-envtest`, or set it to the directory that `hack/cluster/cluster envtest-assets` prints")
	}
	scheme := k8sruntime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), gatewayv1.Install(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return nil, fmt.Errorf("build the scheme: %w", err)
	}
	env := &envtest.Environment{
		CRDDirectoryPaths:        []string{filepath.Join(Root(), "config", "crd")},
		ErrorIfCRDPathMissing:    true,
		CRDInstallOptions:        envtest.CRDInstallOptions{MaxTime: startTime},
		ControlPlaneStartTimeout: startTime,
		ControlPlaneStopTimeout:  stopTime,
	}
	// Nothing collects the Service objects of a test's namespace: the usual 254 addresses would run out.
	env.ControlPlane.GetAPIServer().Configure().Set("service-cluster-ip-range", "10.96.0.0/16")
	config, err := env.Start()
	if err != nil {
		return nil, fmt.Errorf("start etcd and kube-apiserver from %s: %w", os.Getenv(assets), err)
	}
	config.QPS, config.Burst = -1, -1
	return &Server{Config: config, Scheme: scheme, env: env}, nil
}
