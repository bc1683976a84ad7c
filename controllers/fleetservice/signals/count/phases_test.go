package count_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"movieexample.com/fleet/controllers/fleetservice/signals"
	"movieexample.com/fleet/controllers/fleetservice/signals/count"
	"movieexample.com/fleet/controllers/fleetservice/signals/scrape"
)

// TestPhases: stable's pages are read before the canary's and after, other revisions' not at all.
func TestPhases(t *testing.T) {
	s, n := newService(t), 0
	first := &page{}
	first.then = func() { n++; first.text = fmt.Sprintf("http_requests_total{code=\"200\"} %d\n", n) }
	reading, _ := s.read(count.Request{Meaning: meaning(0), Pods: []count.PodTarget{
		s.pod("canary", canary, &page{text: httpPage}), s.pod("stable", stable, first), s.pod("other", "oooo", &page{text: httpPage}),
	}})
	if diff := cmp.Diff([]string{"stable", "canary", "stable"}, s.order.uid); diff != "" {
		t.Errorf("pages were read in another order (-want +got):\n%s", diff)
	}
	if len(reading.Pods) != 2 {
		t.Fatalf("Read = %+v, want the two pods of both revisions", reading)
	}
	p := reading.Pods[1]
	if p.Totals["errors"].Requests != 1 || p.Again["errors"].Requests != 2 || !reading.At.Equal(s.clock.Now()) || reading.Slow != "" {
		t.Errorf("Read = %+v, want both of stable's pages, now, and not slow", reading)
	}
}

// TestSlow: what is read too far apart is not to be compared; what stable says the second time may be late.
func TestSlow(t *testing.T) {
	for name, c := range map[string]struct {
		takes map[string]time.Duration // until a pod answers
		slow  bool
	}{
		"quick":              {nil, false},
		"as long as may be":  {map[string]time.Duration{"stable": 300 * time.Millisecond, "canary": 300 * time.Millisecond}, false},
		"canary slow":        {map[string]time.Duration{"canary": 700 * time.Millisecond}, true},
		"stable slow":        {map[string]time.Duration{"stable": 700 * time.Millisecond}, true},
		"slow after reading": {map[string]time.Duration{"after": 5 * time.Second}, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newService(t)
			page := func(uid string) *page {
				p, reads := &page{text: httpPage}, 0
				p.then = func() {
					reads++
					takes := c.takes[uid]
					if reads > 1 {
						takes = c.takes["after"]
					}
					s.clock.SetTime(s.clock.Now().Add(takes))
				}
				return p
			}
			reading, _ := s.read(count.Request{Meaning: meaning(0), Pods: []count.PodTarget{s.pod("stable", stable, page("stable")), s.pod("canary", canary, page("canary"))}})
			if (reading.Slow != "") != c.slow {
				t.Errorf("Slow = %q, want it to be said: %t", reading.Slow, c.slow)
			}
		})
	}
}

// TestPodThatHangs: a pod that gives no page costs the others their time only once.
func TestPodThatHangs(t *testing.T) {
	s := newServiceWith(t, scrape.Limits{})
	late := make(chan struct{}, 1) // the frozen pod has seen that nobody waits for it any more
	frozen := &page{text: httpPage, hangs: true, then: func() {
		s.clock.SetTime(s.clock.Now().Add(time.Second))
		late <- struct{}{}
	}}
	next := &page{text: httpPage, then: func() { <-late }} // it is asked after the frozen one, and answers after that second
	q := count.Request{Meaning: meaning(0), Pods: []count.PodTarget{
		s.pod("frozen", stable, frozen), s.pod("stable", stable, &page{text: httpPage}), s.pod("canary", canary, next),
	}}
	reading, _ := s.read(q)
	if got, want := reading.Pods[0].Err, "no whole page within 500ms"; got != want || reading.Slow == "" {
		t.Errorf("Err = %q, Slow = %q, want %q, and a canary read long after stable", got, reading.Slow, want)
	}
	if got := len(s.order.uid); got != 4 {
		t.Errorf("pages were read in the order %v, want the frozen one not again", s.order.uid)
	}
	next.then = nil
	if reading, _ = s.read(q); reading.Slow != "" {
		t.Errorf("Slow = %q, want the frozen pod's page read beside the canary's", reading.Slow)
	}
	<-late
	frozen.hangs, frozen.then = false, nil
	s.read(q)
	if reading, _ = s.read(q); reading.Pods[0].Err != "" || reading.Pods[0].Again == nil {
		t.Errorf("the pod that answers again = %+v, want both of its pages", reading.Pods[0])
	}
}

// TestNotShownYet: many programs show a counter only after they have counted. What one pod shows, the others have at zero.
func TestNotShownYet(t *testing.T) {
	s := newService(t)
	empty, full := &page{text: "up 1\n"}, &page{text: httpPage + seconds("http_request_duration_seconds")}
	q := count.Request{Meaning: meaning(100), Pods: []count.PodTarget{s.pod("canary", canary, empty), s.pod("stable", stable, full)}}
	reading, findings := s.read(q)
	zero := map[string]signals.Total{"errors": {}, "refusals": {}, "latency": {}}
	if diff := cmp.Diff(zero, reading.Pods[0].Totals); diff != "" || findings.Unmeasurable != "" {
		t.Errorf("a pod that has not counted yet (-want +got):\n%s(found: %q)", diff, findings.Unmeasurable)
	}
	full.text = "http_requests_total NaN\n" // it cannot be believed now, but what it showed is known
	if reading, findings = s.read(q); findings.Unmeasurable != "" || !cmp.Equal(zero, reading.Pods[0].Totals) {
		t.Errorf("after stable's page broke: %+v, found: %q, want zeros still", reading.Pods[0], findings.Unmeasurable)
	}
	if reading.Pods[1].Err == "" || reading.Pods[1].Totals != nil {
		t.Errorf("the broken page = %+v, want an error and no totals", reading.Pods[1])
	}
}

// TestNobodyCanBeRead: that says nothing of the objectives.
func TestNobodyCanBeRead(t *testing.T) {
	s := newService(t)
	_, findings := s.read(count.Request{Meaning: meaning(100), Pods: []count.PodTarget{{UID: "1", Revision: canary, Address: "127.0.0.1:1"}}})
	if findings.Unmeasurable != "" {
		t.Errorf("Unmeasurable = %q, want nothing where nothing was read", findings.Unmeasurable)
	}
}

func started(n int) string {
	return fmt.Sprintf("grpc_server_started_total{grpc_service=\"rating.v1.RatingService\",grpc_type=\"unary\"} %d\n"+
		"grpc_server_started_total{grpc_service=\"rating.v1.RatingService\",grpc_type=\"server_stream\"} 1000\n"+
		"grpc_server_started_total{grpc_service=\"grpc.health.v1.Health\",grpc_type=\"unary\"} 1000\n", n)
}

// TestOpenCalls: a canary that never answers shows no counter of answers, and is seen all the same.
func TestOpenCalls(t *testing.T) {
	s := newService(t)
	p := &page{}
	target := s.pod("1", canary, p)
	read := func(after time.Duration, calls int) signals.Total {
		t.Helper()
		p.text = started(calls)
		s.clock.SetTime(s.clock.Now().Add(after))
		reading, findings := s.read(count.Request{Meaning: meaning(3000), Pods: []count.PodTarget{target}})
		if !strings.Contains(findings.Unmeasurable, "grpc_server_handling_seconds") {
			t.Errorf("Unmeasurable = %q, want no word about answers, which are counted", findings.Unmeasurable)
		}
		return reading.Pods[0].Totals["errors"]
	}
	for _, c := range []struct {
		after time.Duration
		calls int
		want  signals.Total
	}{
		{0, 5, signals.Total{}},
		{2 * time.Second, 20, signals.Total{}}, // the objective gives them 3 s
		{time.Second, 30, signals.Total{Requests: 5, Bad: 5}},
		{2 * time.Second, 40, signals.Total{Requests: 20, Bad: 20}},
	} {
		if got := read(c.after, c.calls); got != c.want {
			t.Errorf("%s later, with %d calls: %+v, want %+v", c.after, c.calls, got, c.want)
		}
	}
	target.Began = s.clock.Now() // its container began anew
	if got := read(0, 50); got != (signals.Total{}) {
		t.Errorf("another process: %+v, want nothing yet", got)
	}
}

// TestForgetsPods: what is known of pods that are gone is not kept.
func TestForgetsPods(t *testing.T) {
	s := newService(t)
	for i := range 3 {
		s.read(count.Request{Meaning: meaning(0), Pods: []count.PodTarget{s.pod(fmt.Sprint(i), canary, &page{text: httpPage})}})
		s.clock.SetTime(s.clock.Now().Add(40 * time.Second))
	}
	if got := s.reader.Remembered(); got != 2 {
		t.Errorf("after 2 minutes with another pod every 40 s, %d are remembered, want 2", got)
	}
}
