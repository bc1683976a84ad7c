package discoverytest

import (
	"context"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"movieexample.com/fleet/services/internal/discovery"
)

const service = "rating"

// Subject is a registry, and the hand of the operator on it.
type Subject struct {
	discovery.Registry

	// SetSubset names the revision that gets the requests.
	SetSubset func(service, revision string)
	// SetSplit gives shares of the requests to revisions; none ends the split.
	SetSplit func(service string, split ...discovery.Share)
}

// Run asks for every promise; makeNew gives an empty registry for each.
func Run(t *testing.T, makeNew func(t *testing.T) Subject) {
	t.Run("no instance is UNAVAILABLE and says so", func(t *testing.T) { testNone(t, makeNew(t)) })
	t.Run("a switch fails no call", func(t *testing.T) { testSwitch(t, makeNew(t)) })
	t.Run("calls in flight finish on the old revision", func(t *testing.T) { testInFlight(t, makeNew(t)) })
	t.Run("an emptied registry fails no call", func(t *testing.T) { testEmptied(t, makeNew(t)) })
	t.Run("a sick instance gets no call", func(t *testing.T) { testSick(t, makeNew(t)) })
	t.Run("a canary fails no call from its first share to its last", func(t *testing.T) { testCanary(t, makeNew(t)) })
	t.Run("a canary that is taken back gets no call", func(t *testing.T) { testTakenBack(t, makeNew(t)) })
	t.Run("a share of a revision without an instance is the subset's", func(t *testing.T) { testAbsent(t, makeNew(t)) })
	t.Run("a canary that refuses connections fails no call", func(t *testing.T) { testRefusing(t, makeNew(t)) })
	t.Run("Watch ends with its context", func(t *testing.T) { testClose(t, makeNew(t)) })
}

// up starts instances of a revision and registers them.
func up(t *testing.T, s Subject, revision string, ids ...string) []*Instance {
	t.Helper()
	var list []*Instance
	for _, id := range ids {
		i := StartInstance(t, id, revision)
		if err := s.Register(t.Context(), service, i.Instance); err != nil {
			t.Fatalf("Register(%s) = %v", id, err)
		}
		list = append(list, i)
	}
	return list
}

func down(t *testing.T, s Subject, list []*Instance) {
	t.Helper()
	for _, i := range list {
		if err := s.Deregister(t.Context(), service, i.ID); err != nil {
			t.Fatalf("Deregister(%s) = %v", i.ID, err)
		}
	}
}

func testNone(t *testing.T, s Subject) {
	conn := Dial(t, s, service)
	_, err := Call(t.Context(), conn)
	if status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "no instance of rating registered") {
		t.Errorf("call = %v, want UNAVAILABLE: no instance of rating registered", err)
	}
	up(t, s, "v1", "a")
	Eventually(t, "calls reach the first instance", func() bool { _, err := Call(t.Context(), conn); return err == nil })
}

func testSwitch(t *testing.T, s Subject) {
	old := up(t, s, "v1", "a", "b")
	keepReporting(t, s, old)
	s.SetSubset(service, "v1")
	conn := Dial(t, s, service)
	Eventually(t, "v1 answers", func() bool { revision, err := Call(t.Context(), conn); return err == nil && revision == "v1" })
	load := StartLoad(t, conn)
	keepReporting(t, s, up(t, s, "v2", "c", "d"))
	// Nobody may call a revision that is registered but not named.
	load.More(t, 200)
	if !load.Last("v2").IsZero() {
		t.Error("v2 got calls before it was named")
	}
	s.SetSubset(service, "v2")
	began := time.Now()
	Eventually(t, "v2 answers", func() bool { return !load.Last("v2").IsZero() })
	t.Logf("The switch reached the caller after %s", time.Since(began))
	Eventually(t, "v1 gets no call any more", silent(load, "v1"))
	down(t, s, old)
	for _, i := range old {
		i.Stop()
	}
	load.More(t, 200)
	load.WantNoFailure(t)
}

func testInFlight(t *testing.T, s Subject) {
	old := up(t, s, "v1", "a")
	s.SetSubset(service, "v1")
	conn := Dial(t, s, service)
	Eventually(t, "v1 answers", func() bool { _, err := Call(t.Context(), conn); return err == nil })
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stream, err := healthv1.NewHealthClient(conn).Watch(ctx, &healthv1.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	keepReporting(t, s, up(t, s, "v2", "b"))
	s.SetSubset(service, "v2")
	down(t, s, old)
	Eventually(t, "v2 answers", func() bool { revision, err := Call(t.Context(), conn); return err == nil && revision == "v2" })
	old[0].Health.SetServingStatus("", healthv1.HealthCheckResponse_NOT_SERVING)
	if m, err := stream.Recv(); err != nil || m.GetStatus() != healthv1.HealthCheckResponse_NOT_SERVING {
		t.Errorf("the stream that began on v1 = %v, %v, want its next message", m, err)
	}
}

func testEmptied(t *testing.T, s Subject) {
	list := up(t, s, "v1", "a", "b")
	s.SetSubset(service, "v1")
	conn := Dial(t, s, service)
	Eventually(t, "v1 answers", func() bool { _, err := Call(t.Context(), conn); return err == nil })
	load := StartLoad(t, conn)
	down(t, s, list)
	s.SetSubset(service, "")
	load.More(t, 300)
	load.WantNoFailure(t)
}

func testSick(t *testing.T, s Subject) {
	keepReporting(t, s, up(t, s, "well", "a"))
	up(t, s, "sick", "b")
	conn := Dial(t, s, service)
	Eventually(t, "both get calls", func() bool { revision, err := Call(t.Context(), conn); return err == nil && revision == "sick" })
	load := StartLoad(t, conn)
	if err := s.ReportHealthy(t.Context(), service, "b", false); err != nil {
		t.Fatal(err)
	}
	Eventually(t, "the sick one gets none", silent(load, "sick"))
	if err := s.ReportHealthy(t.Context(), service, "b", true); err != nil {
		t.Fatal(err)
	}
	Eventually(t, "it gets calls again when it is well", func() bool { return !load.Silent("sick") })
	load.WantNoFailure(t)
}

func testClose(t *testing.T, s Subject) {
	ctx, cancel := context.WithCancel(t.Context())
	told, done := make(chan struct{}, 1), make(chan struct{})
	go func() {
		defer close(done)
		s.Watch(ctx, service, func(discovery.Snapshot, error) {
			select {
			case told <- struct{}{}:
			default:
			}
		})
	}()
	<-told
	cancel()
	select {
	case <-done:
	case <-time.After(10 * time.Second): // a long poll lasts most of a minute
		t.Error("Watch() goes on 10 s after the end of its context")
	}
}
