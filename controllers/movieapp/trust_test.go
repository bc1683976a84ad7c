package movieapp

import (
	"errors"
	"testing"

	dto "github.com/prometheus/client_model/go"
	corev1 "k8s.io/api/core/v1"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/fleetservice/signals/scrape"
)

func TestDoubt(t *testing.T) {
	trusts := func(fingerprints ...string) scrape.Page {
		family := &dto.MetricFamily{}
		for _, f := range fingerprints {
			family.Metric = append(family.Metric, &dto.Metric{Label: []*dto.LabelPair{
				{Name: new("subject"), Value: new("x")}, {Name: new("fingerprint"), Value: new(f)},
			}})
		}
		return scrape.Page{Families: map[string]*dto.MetricFamily{bundleInfo: family}}
	}
	for name, tc := range map[string]struct {
		page scrape.Page
		want string
	}{
		"trusts it":              {trusts("old", "new"), ""},
		"in other letters":       {trusts("NEW"), ""},
		"trusts the one before":  {trusts("old"), "does not trust it yet"},
		"trusts nobody":          {trusts(), "does not trust it yet"},
		"speaks no TLS":          {scrape.Page{}, "does not show tls_bundle_info"},
		"does not answer":        {scrape.Page{Err: errors.New("no whole page within 2s")}, "cannot be asked: no whole page within 2s"},
		"subject that looks so":  {scrape.Page{Families: map[string]*dto.MetricFamily{bundleInfo: {Metric: []*dto.Metric{{Label: []*dto.LabelPair{{Name: new("subject"), Value: new("new")}}}}}}}, "does not trust it yet"},
		"no label at all either": {scrape.Page{Families: map[string]*dto.MetricFamily{bundleInfo: {Metric: []*dto.Metric{{}}}}}, "does not trust it yet"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := doubt(tc.page, "new"); got != tc.want {
				t.Errorf("doubt = %q, want %q", got, tc.want)
			}
		})
	}
}

// TestWhoIsAsked: a pod that runs is asked, be it on its way out; one that does not will read its bundle anew.
func TestWhoIsAsked(t *testing.T) {
	pod := func(change func(*corev1.Pod)) *corev1.Pod {
		p := &corev1.Pod{
			Spec: corev1.PodSpec{Containers: []corev1.Container{{Ports: []corev1.ContainerPort{{Name: "grpc", ContainerPort: 1}, {Name: "admin", ContainerPort: 8093}}}}},
			Status: corev1.PodStatus{PodIP: "10.0.0.1", ContainerStatuses: []corev1.ContainerStatus{
				{State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}},
			}},
		}
		change(p)
		return p
	}
	for name, tc := range map[string]struct {
		change func(*corev1.Pod)
		want   int32
	}{
		"runs":             {func(*corev1.Pod) {}, 8093},
		"not ready":        {func(p *corev1.Pod) { p.Status.Phase = corev1.PodPending }, 8093},
		"no address yet":   {func(p *corev1.Pod) { p.Status.PodIP = "" }, 0},
		"crashed":          {func(p *corev1.Pod) { p.Status.ContainerStatuses[0].State = corev1.ContainerState{} }, 0},
		"not begun":        {func(p *corev1.Pod) { p.Status.ContainerStatuses = nil }, 0},
		"without an admin": {func(p *corev1.Pod) { p.Spec.Containers[0].Ports = nil }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			if got := adminPort(pod(tc.change)); got != tc.want {
				t.Errorf("adminPort = %d, want %d", got, tc.want)
			}
		})
	}
	elsewhere := &v1alpha1.FleetService{}
	elsewhere.Spec.Signals = &v1alpha1.SignalPolicy{Metrics: &v1alpha1.MetricsMeaning{Path: "/m"}}
	if got := metricsPath(elsewhere); got != "/m" {
		t.Errorf("metricsPath = %s, want the one of the spec", got)
	}
}
