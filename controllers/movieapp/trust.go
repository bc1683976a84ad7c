package movieapp

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/fleetservice/signals/scrape"
)

// bundleInfo is the metric by which a service tells whom it trusts.
const bundleInfo = "tls_bundle_info"

// trustTimeout is the time that a pod has to tell whom it trusts.
const trustTimeout = 2 * time.Second

// doubts names the running pods of an application that do not tell that they trust an authority, with the reason. Pods that
// are being deleted count for as long as they run, since they still call and are called.
func (r *Reconciler) doubts(ctx context.Context, app *v1alpha1.MovieApp, live map[string]*v1alpha1.FleetService, fingerprint string) ([]string, error) {
	pods := &corev1.PodList{}
	err := r.client.List(ctx, pods, client.InNamespace(app.Namespace), client.MatchingLabels{
		v1alpha1.LabelManagedBy: v1alpha1.ManagedByValue, v1alpha1.LabelApp: app.Name,
	})
	if err != nil {
		return nil, fmt.Errorf("list pods: %w", err)
	}
	names := map[string]string{}
	var targets []scrape.Target
	for i := range pods.Items {
		p := &pods.Items[i]
		fs := live[p.Labels[v1alpha1.LabelService]]
		port := adminPort(p)
		if fs == nil || port == 0 {
			continue // another's, or one that runs no service
		}
		names[string(p.UID)] = p.Name
		targets = append(targets, scrape.Target{
			UID: string(p.UID), Address: net.JoinHostPort(p.Status.PodIP, strconv.Itoa(int(port))), Path: metricsPath(fs),
		})
	}
	if len(targets) == 0 {
		return nil, nil
	}
	reader := scrape.New(scrape.Limits{Timeout: trustTimeout}, r.clock)
	defer reader.Close()
	var doubts []string
	for uid, page := range reader.Read(ctx, targets, func(family string) bool { return family == bundleInfo }) {
		if why := doubt(page, fingerprint); why != "" {
			doubts = append(doubts, "pod "+names[uid]+", which "+why)
		}
	}
	slices.Sort(doubts)
	return doubts, nil
}

// doubt is why a pod may not trust an authority; empty if it does.
func doubt(page scrape.Page, fingerprint string) string {
	if page.Err != nil {
		return "cannot be asked: " + page.Err.Error()
	}
	family := page.Families[bundleInfo]
	if family == nil {
		return "does not show " + bundleInfo
	}
	for _, m := range family.GetMetric() {
		for _, label := range m.GetLabel() {
			if label.GetName() == "fingerprint" && strings.EqualFold(label.GetValue(), fingerprint) {
				return ""
			}
		}
	}
	return "does not trust it yet"
}

// adminPort is where a pod that runs a service shows its metrics; 0 if none runs in it now. One that starts reads its bundle
// anew.
func adminPort(p *corev1.Pod) int32 {
	running := slices.ContainsFunc(p.Status.ContainerStatuses, func(s corev1.ContainerStatus) bool { return s.State.Running != nil })
	if !running || p.Status.PodIP == "" {
		return 0
	}
	for _, c := range p.Spec.Containers {
		for _, port := range c.Ports {
			if port.Name == "admin" {
				return port.ContainerPort
			}
		}
	}
	return 0
}

func metricsPath(fs *v1alpha1.FleetService) string {
	if s := fs.Spec.Signals; s != nil && s.Metrics != nil {
		return cmp.Or(s.Metrics.Path, "/metrics")
	}
	return "/metrics"
}
