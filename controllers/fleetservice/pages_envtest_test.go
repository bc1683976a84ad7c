//go:build envtest

package fleetservice_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"movieexample.com/fleet/api/v1alpha1"
)

// pages are pods that answer requests and show what they counted, as grpc-go's middleware does, on addresses of this
// machine's loopback.
type pages struct {
	w *world
	// fails is the share of an image's answers that fail.
	fails map[string]float64
	// consume makes them pages of consumers: each ready pod has a partition, and all work is events. hangs are images whose
	// pods do not read on.
	consume bool
	hangs   map[string]bool

	mu   sync.Mutex
	pods map[string]*page // by pod name
	// open are the connections to all pages; closed is told of each that ends.
	open   map[net.Conn]bool
	closed chan struct{}
}

type page struct {
	ip, image, revision string
	number              int64
	along               bool            // it reads what the others share out
	read                map[int64]int64 // how far it is with that, by their numbers
	all, bad            float64
}

// addresses are used once each by all tests of the process.
var addresses atomic.Int64

// showPages gives the pods of a world pages.
func (w *world) showPages() *pages {
	w.pages = &pages{w: w, fails: map[string]float64{}, pods: map[string]*page{}, open: map[net.Conn]bool{}, closed: make(chan struct{}, 1)}
	return w.pages
}

// serve starts a pod's page and returns its address.
func (g *pages) serve(p *corev1.Pod) string {
	g.w.t.Helper()
	n := addresses.Add(1)
	pod := &page{number: n, ip: fmt.Sprintf("127.7.%d.%d", n/250, 1+n%250), image: p.Spec.Containers[0].Image, revision: p.Labels[v1alpha1.LabelRevision], along: p.Labels[v1alpha1.LabelShadow] != "", read: map[int64]int64{}}
	var config net.ListenConfig
	listener, err := config.Listen(context.Background(), "tcp", pod.ip+":8090")
	if err != nil {
		g.w.t.Fatalf("open the page of %s: %v", p.Name, err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { g.show(rw, pod) }), ConnState: g.note}
	go func() { _ = server.Serve(listener) }() // until it is closed
	g.w.t.Cleanup(func() { _ = server.Close() })
	g.mu.Lock()
	defer g.mu.Unlock()
	g.pods[p.Name] = pod
	return pod.ip
}

// note keeps count of connections.
func (g *pages) note(c net.Conn, state http.ConnState) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open[c] = true
	if state == http.StateClosed {
		delete(g.open, c)
		select {
		case g.closed <- struct{}{}:
		default:
		}
	}
}

func (g *pages) connections() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.open)
}

func (g *pages) show(rw http.ResponseWriter, pod *page) {
	g.mu.Lock()
	defer g.mu.Unlock()
	bad := int64(pod.bad)
	if g.consume && pod.along {
		showAlong(rw, pod)
		return
	}
	if g.consume {
		_, _ = fmt.Fprintf(rw, "ingest_events_total{outcome=\"applied\",partition=\"%[3]d\"} %[1]d\ningest_events_total{outcome=\"dead_lettered\",partition=\"%[3]d\"} %[2]d\n"+
			"ingest_next_offset{partition=\"%[3]d\"} %[4]d\ningest_lag_records{partition=\"%[3]d\"} 7\n", int64(pod.all)-bad, bad, pod.number, int64(pod.all))
		return
	}
	_, _ = fmt.Fprintf(rw, "# TYPE grpc_server_handled_total counter\n"+
		"grpc_server_handled_total{grpc_code=\"OK\",grpc_service=\"rating.v1.RatingService\",grpc_type=\"unary\"} %d\n"+
		"grpc_server_handled_total{grpc_code=\"Internal\",grpc_service=\"rating.v1.RatingService\",grpc_type=\"unary\"} %d\n", int64(pod.all)-bad, bad)
}

// showAlong shows a page of all partitions.
func showAlong(rw http.ResponseWriter, pod *page) {
	for number, next := range pod.read {
		_, _ = fmt.Fprintf(rw, "ingest_next_offset{partition=\"%[1]d\"} %[2]d\ningest_lag_records{partition=\"%[1]d\"} 7\n", number, next)
	}
	_, _ = fmt.Fprintf(rw, "ingest_events_total{outcome=\"read\"} %d\ningest_events_total{outcome=\"dead_lettered\"} %d\n", int64(pod.all)-int64(pod.bad), int64(pod.bad))
}

// send spreads requests over the ready pods that the Service object selects.
func (g *pages) send(requests float64) {
	g.w.t.Helper()
	service := &corev1.Service{Spec: corev1.ServiceSpec{Selector: map[string]string{v1alpha1.LabelService: "rating"}}}
	if err := g.w.c.Get(g.w.t.Context(), client.ObjectKey{Namespace: g.w.namespace, Name: "rating"}, service); err != nil && !g.consume {
		return // nobody can call it yet
	}
	var list corev1.PodList
	if err := g.w.c.List(g.w.t.Context(), &list, client.InNamespace(g.w.namespace), client.MatchingLabels(service.Spec.Selector)); err != nil {
		g.w.t.Fatal(err)
	}
	ready := slices.DeleteFunc(list.Items, func(p corev1.Pod) bool {
		return !slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool { return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue })
	})
	g.mu.Lock()
	defer g.mu.Unlock()
	members := slices.DeleteFunc(slices.Clone(ready), func(p corev1.Pod) bool { return g.pods[p.Name] == nil || g.pods[p.Name].along })
	for _, p := range ready {
		pod := g.pods[p.Name]
		if pod == nil {
			continue
		}
		for _, p := range members {
			member := g.pods[p.Name]
			if _, begun := pod.read[member.number]; !begun || !g.hangs[pod.image] {
				pod.read[member.number] = int64(member.all)
			}
		}
		if g.hangs[pod.image] {
			continue
		}
		has := requests
		if !pod.along {
			has /= float64(len(members))
		}
		pod.all += has
		pod.bad += has * g.fails[pod.image]
	}
}

const canarySpec = `{image: "rating:%s", replicas: 2, drainSeconds: 4, rollout: {steps: [20, 50], minStep: 2s, bake: 4s}}`

// TestCanaryCrashes ends the process after each call of a whole rollout: of a good revision, which goes through, and of a
// bad one, which is convicted. The end is the same each time. (A crash before a call is one after the call before it.)
func TestCanaryCrashes(t *testing.T) {
	for _, story := range []struct {
		name  string
		fails float64
		end   func(*stage) *v1alpha1.FleetService
		phase string
		image string
	}{
		{"good", 0, func(s *stage) *v1alpha1.FleetService { return s.serving("rating:v2") }, "Serving", "rating:v2"},
		{"bad", 0.5, func(s *stage) *v1alpha1.FleetService { return s.phase("TakenBack") }, "TakenBack", "rating:v1"},
	} {
		t.Run(story.name, func(t *testing.T) {
			rollout := func(t *testing.T, begin func(*stage)) *stage {
				s := newStage(t)
				s.world.showPages().fails["rating:v2"] = story.fails
				s.install(fmt.Sprintf(canarySpec, "v1"))
				s.serving("rating:v1")
				begin(s)
				s.change(fmt.Sprintf(canarySpec, "v2"))
				story.end(s)
				s.until("the end", func(*v1alpha1.FleetService) bool {
					return slices.Equal(s.world.images(), []string{story.image + " ×2"})
				})
				return s
			}
			reference := rollout(t, func(s *stage) { s.writes = nil })
			if len(reference.writes) < 12 {
				t.Fatalf("the rollout took the calls %q, want more: crashes come between them", reference.writes)
			}
			for n := range reference.writes {
				t.Run(fmt.Sprintf("after call %02d", n), func(t *testing.T) {
					s := rollout(t, func(s *stage) { s.crashAt(n) })
					fs := s.get()
					if fs.Status.Phase != story.phase || s.world.selected("rating") != story.image {
						t.Errorf("phase %s and %s selected, want %s and %s", fs.Status.Phase, s.world.selected("rating"), story.phase, story.image)
					}
					if story.fails > 0 && fs.Status.Rejected.Reason != v1alpha1.ReasonWorse {
						t.Errorf("rejected = %+v, want Worse", fs.Status.Rejected)
					}
					if s.after != nil {
						t.Logf("call %d never came: looks fell otherwise", n)
					}
				})
			}
		})
	}
}

// TestEndLeavesNoConnection ends the process in the order in which a manager does, in the middle of a rollout.
func TestEndLeavesNoConnection(t *testing.T) {
	s := newStage(t)
	pages := s.world.showPages()
	s.install(fmt.Sprintf(canarySpec, "v1"))
	s.serving("rating:v1")
	s.change(fmt.Sprintf(canarySpec, "v2"))
	s.until("a share for v2", func(fs *v1alpha1.FleetService) bool {
		return fs.Status.Traffic.OtherPercent > 0 && pages.connections() > 0
	})
	ctx, end := context.WithCancel(t.Context())
	end()
	if err := s.process().Start(ctx); err != nil {
		t.Fatalf("Start = %v", err)
	}
	for pages.connections() > 0 {
		select {
		case <-pages.closed:
		case <-time.After(5 * time.Second): // of the 15 that an idle connection may last
			t.Fatalf("%d connections to pods are open after the end", pages.connections())
		}
	}
}

// TestNothingIsCounted: pages without the metric that an objective needs are told as what they are.
func TestNothingIsCounted(t *testing.T) {
	s := newStage(t)
	s.world.showPages()
	spec := `{image: "rating:%s", replicas: 2, drainSeconds: 4, rollout: {steps: [20, 50], minStep: 2s, bake: 4s}, objectives: {latency: {boundMilliseconds: 100}}}`
	s.install(fmt.Sprintf(spec, "v1"))
	s.serving("rating:v1")
	s.change(fmt.Sprintf(spec, "v2"))
	fs := s.until("what cannot be measured told", func(fs *v1alpha1.FleetService) bool {
		return strings.HasPrefix(condition(fs, v1alpha1.ConditionObjectivesValid), "False")
	})
	s.wantCondition(fs, v1alpha1.ConditionObjectivesValid, "False NotCounted: latency is not counted", "signals.metrics.durations")
}
