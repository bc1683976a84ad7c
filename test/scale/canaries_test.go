//go:build envtest && bench

package scale

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/test/apiserver"
)

var server *apiserver.Server

func TestMain(m *testing.M) {
	os.Exit(apiserver.Main(m, func(s *apiserver.Server) { server = s }))
}

const canaries = 50

// Most that 50 canaries may cost, with two pods of each revision read every second.
const (
	mostCores  = 0.5
	mostMemory = 200 // MiB
	mostCalls  = 80  // of the API server, in a whole release
)

const spec = `{image: "rating:%s", replicas: 2, drainSeconds: 4, rollout: {steps: [20, 50], minStep: 10s, bake: 20s}}`

// TestBenchFiftyCanaries runs fifty releases at once, first good ones and then bad ones, and prints what the operator used.
func TestBenchFiftyCanaries(t *testing.T) {
	kubeconfig, err := server.User()
	if err != nil {
		t.Fatal(err)
	}
	c := server.Client(t)
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "scale-"}}
	if err := c.Create(t.Context(), ns); err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, c: c, namespace: ns.Name, rate: 50, bad: "rating:v3", pods: map[string]*pod{}}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); w.run(ctx) }()
	t.Cleanup(func() { stop(); <-done })
	o := startOperator(t, kubeconfig)

	var table []string
	phase := func(name string, do func()) {
		before := o.usage()
		do()
		table = append(table, row(t, name, before, o.usage(), o.peak()))
	}
	phase("first start of all", func() { w.releaseAll("v1"); w.all(2*time.Minute, serves("rating:v1")) })
	phase("nothing to do, 30 s", func() { <-time.After(30 * time.Second) }) // the observation itself
	phase("good releases", func() { w.releaseAll("v2"); w.all(5*time.Minute, serves("rating:v2")) })
	phase("bad releases", func() { w.releaseAll("v3"); w.all(3*time.Minute, rejected) })
	fmt.Printf("\n| %d services | took | processors | API calls a service | of these | most memory |\n|---|---|---|---|---|---|\n%s\n", canaries, strings.Join(table, "\n"))
}

// releaseAll gives every service an image.
func (w *world) releaseAll(tag string) {
	w.t.Helper()
	for n := range canaries {
		fs := &v1alpha1.FleetService{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: fmt.Sprintf("rating-%02d", n)}}
		err := w.c.Get(w.t.Context(), client.ObjectKeyFromObject(fs), fs)
		if client.IgnoreNotFound(err) != nil {
			w.t.Fatal(err)
		}
		fresh := err != nil
		fs.Spec = v1alpha1.FleetServiceSpec{}
		if err := yaml.UnmarshalStrict(fmt.Appendf(nil, spec, tag), &fs.Spec); err != nil {
			w.t.Fatal(err)
		}
		if fresh {
			err = w.c.Create(w.t.Context(), fs)
		} else {
			err = w.c.Update(w.t.Context(), fs)
		}
		if err != nil {
			w.t.Fatalf("release %s of %s: %v", tag, fs.Name, err)
		}
	}
}

// all waits until something holds of every service.
func (w *world) all(within time.Duration, holds func(*v1alpha1.FleetService) bool) {
	w.t.Helper()
	var missing []string
	for deadline := time.Now().Add(within); time.Now().Before(deadline); <-time.After(time.Second) {
		var list v1alpha1.FleetServiceList
		if err := w.c.List(w.t.Context(), &list, client.InNamespace(w.namespace)); err != nil {
			w.t.Fatal(err)
		}
		missing = nil
		for _, fs := range list.Items {
			if !holds(&fs) {
				missing = append(missing, fmt.Sprintf("%s: %s, rollout %+v, rejected %+v", fs.Name, fs.Status.Phase, fs.Status.Rollout, fs.Status.Rejected))
			}
		}
		if len(missing) == 0 {
			return
		}
	}
	w.t.Fatalf("not within %s: %d of %d, such as %s", within, len(missing), canaries, missing[0])
}

func serves(image string) func(*v1alpha1.FleetService) bool {
	return func(fs *v1alpha1.FleetService) bool {
		return fs.Status.ObservedGeneration == fs.Generation && fs.Status.Stable != nil && fs.Status.Stable.Image == image && fs.Status.Phase == "Serving"
	}
}

func rejected(fs *v1alpha1.FleetService) bool {
	return fs.Status.ObservedGeneration == fs.Generation && fs.Status.Rejected != nil && fs.Status.Rejected.Reason == v1alpha1.ReasonWorse && fs.Status.Phase == "TakenBack"
}

// row is one phase's line; it checks the bounds.
func row(t *testing.T, name string, before, after usage, peak int) string {
	t.Helper()
	took := after.at.Sub(before.at)
	cores := (after.cpu - before.cpu).Seconds() / took.Seconds()
	var calls float64
	var parts []string
	for _, method := range slices.Sorted(maps.Keys(after.calls)) {
		n := after.calls[method] - before.calls[method]
		calls += n
		parts = append(parts, fmt.Sprintf("%s %.0f", method, n))
	}
	calls /= canaries
	if cores > mostCores || calls > mostCalls || peak > mostMemory {
		t.Errorf("%s: %.2f processors, %.0f calls a service, %d MiB; want at most %.2f, %d, %d", name, cores, calls, peak, mostCores, mostCalls, mostMemory)
	}
	return fmt.Sprintf("| %s | %.0f s | %.2f | %.0f | %s | %d MiB |", name, took.Seconds(), cores, calls, strings.Join(parts, ", "), peak)
}
