//go:build envtest && bench

package scale

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"movieexample.com/fleet/api/v1alpha1"
)

// world plays what is not there behind an API server alone: pods for Deployments, and requests that they count.
type world struct {
	t         *testing.T
	c         client.Client
	namespace string
	rate      float64 // requests a second at each service
	// bad is the image whose pods fail half of their requests.
	bad string

	mu   sync.Mutex
	pods map[string]*pod
	next int // of the pods' addresses
}

// pod is a page of counters on an address of this machine's loopback.
type pod struct {
	ip, image string
	all, bad  float64
	server    *http.Server
}

// run plays on until the context ends.
func (w *world) run(ctx context.Context) {
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	defer w.end()
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			if err := w.play(ctx, now.Sub(last)); err != nil && ctx.Err() == nil {
				w.t.Errorf("play the cluster: %v", err)
				return
			}
			last = now
		}
	}
}

func (w *world) play(ctx context.Context, passed time.Duration) error {
	var deployments appsv1.DeploymentList
	var pods corev1.PodList
	var services corev1.ServiceList
	for _, list := range []client.ObjectList{&deployments, &pods, &services} {
		if err := w.c.List(ctx, list, client.InNamespace(w.namespace)); err != nil {
			return err
		}
	}
	have := map[string][]corev1.Pod{}
	for _, p := range pods.Items {
		have[owner(&p)] = append(have[owner(&p)], p)
	}
	for _, d := range deployments.Items {
		key := owner(&d)
		for n := len(have[key]); n < int(*d.Spec.Replicas); n++ {
			if err := w.start(ctx, &d); err != nil {
				return err
			}
		}
		if n := int(*d.Spec.Replicas); n < len(have[key]) {
			have[key] = have[key][n:]
		} else {
			delete(have, key)
		}
	}
	for _, list := range have { // more than is asked for
		for _, p := range list {
			if err := w.stop(ctx, &p); err != nil {
				return err
			}
		}
	}
	w.answer(services.Items, pods.Items, passed)
	return nil
}

func owner(o client.Object) string {
	return o.GetLabels()[v1alpha1.LabelService] + "/" + o.GetLabels()[v1alpha1.LabelRevision]
}

// start makes a ready pod of a Deployment.
func (w *world) start(ctx context.Context, d *appsv1.Deployment) error {
	p := &corev1.Pod{ObjectMeta: *d.Spec.Template.ObjectMeta.DeepCopy(), Spec: *d.Spec.Template.Spec.DeepCopy()}
	p.Namespace, p.GenerateName = w.namespace, d.Name+"-"
	if err := w.c.Create(ctx, p); err != nil {
		return err
	}
	page, err := w.open(ctx, p)
	if err != nil {
		return err
	}
	now := metav1.Now()
	p.Status.Phase, p.Status.PodIP, p.Status.PodIPs = corev1.PodRunning, page.ip, []corev1.PodIP{{IP: page.ip}}
	p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: now}}
	p.Status.ContainerStatuses = []corev1.ContainerStatus{{
		Name: p.Spec.Containers[0].Name, Ready: true, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: now}},
	}}
	return w.c.Status().Update(ctx, p)
}

func (w *world) open(ctx context.Context, p *corev1.Pod) (*pod, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.next++
	page := &pod{ip: fmt.Sprintf("127.8.%d.%d", w.next/250, 1+w.next%250), image: p.Spec.Containers[0].Image}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", page.ip+":8090")
	if err != nil {
		return nil, err
	}
	page.server = &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { w.show(rw, page) }), ReadHeaderTimeout: time.Second}
	go func() { _ = page.server.Serve(listener) }() // until it is closed
	w.pods[p.Name] = page
	return page, nil
}

func (w *world) show(rw http.ResponseWriter, p *pod) {
	w.mu.Lock()
	defer w.mu.Unlock()
	bad := int64(p.bad)
	_, _ = fmt.Fprintf(rw, "# TYPE grpc_server_handled_total counter\n"+
		"grpc_server_handled_total{grpc_code=\"OK\",grpc_service=\"rating.v1.RatingService\",grpc_type=\"unary\"} %d\n"+
		"grpc_server_handled_total{grpc_code=\"Internal\",grpc_service=\"rating.v1.RatingService\",grpc_type=\"unary\"} %d\n", int64(p.all)-bad, bad)
}

func (w *world) stop(ctx context.Context, p *corev1.Pod) error {
	if err := w.c.Delete(ctx, p, client.GracePeriodSeconds(0)); err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if page := w.pods[p.Name]; page != nil {
		delete(w.pods, p.Name)
		return page.server.Close()
	}
	return nil
}

// answer spreads the requests of some time over the pods that each Service object selects.
func (w *world) answer(services []corev1.Service, pods []corev1.Pod, passed time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range services {
		if s.Spec.ClusterIP == corev1.ClusterIPNone || len(s.Spec.Selector) == 0 {
			continue
		}
		var selected []*pod
		for _, p := range pods {
			if page := w.pods[p.Name]; page != nil && selects(s.Spec.Selector, p.Labels) {
				selected = append(selected, page)
			}
		}
		for _, p := range selected {
			share := w.rate * passed.Seconds() / float64(len(selected))
			p.all += share
			if p.image == w.bad {
				p.bad += share / 2
			}
		}
	}
}

func selects(selector, labels map[string]string) bool {
	for k, v := range selector {
		if labels[k] != v {
			return false
		}
	}
	return true
}

func (w *world) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	var errs []error
	for _, p := range w.pods {
		errs = append(errs, p.server.Close())
	}
	if err := errors.Join(errs...); err != nil {
		w.t.Errorf("close the pods' pages: %v", err)
	}
}
