//go:build envtest

package main

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/test/apiserver"
	"movieexample.com/fleet/test/docs/catalogue"
	"movieexample.com/fleet/test/ports"
)

var server *apiserver.Server

func TestMain(m *testing.M) {
	os.Exit(apiserver.Main(m, func(s *apiserver.Server) { server = s }))
}

// TestRun is the operator's life: it takes the lease, works, and gives the lease back when it is told to stop.
func TestRun(t *testing.T) {
	user, err := server.User()
	if err != nil {
		t.Fatal(err)
	}
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(kubeconfig, user, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("KUBECONFIG", kubeconfig)
	probes, metrics := ports.Address(t), ports.Address(t)
	o, err := parse([]string{
		"--metrics-bind-address=" + metrics, "--health-probe-bind-address=" + probes, "--leader-election-namespace=default",
		"--watch-namespaces=default", "--log-level=error",
	}, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- run(ctx, &o) }()

	c := server.Client(t)
	fs := sampleService(t)
	fs.Spec.Ownership = &v1alpha1.Ownership{Accountable: "ann@example.com", Oncall: "PD"}
	if err := c.Create(t.Context(), fs); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the sample FleetService has a Deployment", func() bool {
		list := &appsv1.DeploymentList{}
		err := c.List(t.Context(), list, client.InNamespace("default"), client.MatchingLabels{v1alpha1.LabelService: fs.Name})
		return err == nil && len(list.Items) == 1
	})
	eventually(t, "/readyz answers 200", func() bool {
		answer, err := http.Get("http://" + probes + "/readyz")
		if err != nil {
			return false
		}
		return answer.Body.Close() == nil && answer.StatusCode == http.StatusOK
	})
	owner := wantDocumented(t, metrics).With("ann@example.com")
	if len(owner) != 1 || !strings.HasPrefix(owner[0], "fleet_service_owner_info{") || !strings.Contains(owner[0], `service="`+fs.Name+`"`) {
		t.Errorf("series that name the service's owner = %v, want fleet_service_owner_info of it", owner)
	}
	lease := func() string {
		l := &coordinationv1.Lease{}
		if err := c.Get(t.Context(), client.ObjectKey{Namespace: "default", Name: leaseName}, l); err != nil {
			t.Fatal(err)
		}
		if l.Spec.HolderIdentity == nil {
			return ""
		}
		return *l.Spec.HolderIdentity
	}
	if lease() == "" {
		t.Error("the operator works without holding the lease")
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("run = %v, want none after it was told to stop", err)
	}
	if got := lease(); got != "" {
		t.Errorf("after the end the lease is held by %q, want nobody: the next operator should not wait", got)
	}
}

// wantDocumented wants nothing shown that docs/metrics.md does not have, and something of each library that it names.
// What rollouts show is tested beside them.
func wantDocumented(t *testing.T, address string) catalogue.Shown {
	t.Helper()
	document, err := catalogue.Read(filepath.Join(apiserver.Root(), "docs", "metrics.md"))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.Get("http://" + address + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	shown, err := catalogue.Parse(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range append(document.Check("operator", shown), document.MissingOfLibraries("operator", shown)...) {
		t.Error(problem)
	}
	return shown
}

func sampleService(t *testing.T) *v1alpha1.FleetService {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(apiserver.Root(), "config", "samples", "fleetservice.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	fs := &v1alpha1.FleetService{}
	if err := yaml.UnmarshalStrict(raw, fs); err != nil {
		t.Fatal(err)
	}
	fs.Namespace = "default"
	return fs
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 30 s: %s", what)
		}
	}
}
