package limits

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"go.uber.org/goleak"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"movieexample.com/fleet/services/internal/identity"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	get    = "/rating.v1.RatingService/GetAggregatedRating"
	put    = "/rating.v1.RatingService/PutRating"
	health = "/grpc.health.v1.Health/Check"
	schema = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
)

func newLimits(t *testing.T, o Options) (*Limits, *prometheus.Registry) {
	t.Helper()
	metrics := prometheus.NewRegistry()
	l, err := New(o, metrics)
	if err != nil {
		t.Fatal(err)
	}
	return l, metrics
}

func unary(ctx context.Context, i grpc.UnaryServerInterceptor, method string, handler grpc.UnaryHandler) error {
	_, err := i(ctx, nil, &grpc.UnaryServerInfo{FullMethod: method}, handler)
	return err
}

func fine(context.Context, any) (any, error) { return nil, nil }

// hint is the wait in the error's RetryInfo, and false without one.
func hint(err error) (time.Duration, bool) {
	for _, d := range status.Convert(err).Details() {
		if info, ok := d.(*errdetails.RetryInfo); ok {
			return info.GetRetryDelay().AsDuration(), true
		}
	}
	return 0, false
}

func TestInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, metrics := newLimits(t, Options{MaxInFlight: 3})
		end := make(chan struct{})
		done := make(chan error, 3)
		for range 2 {
			go func() {
				done <- unary(t.Context(), l.Unary, get, func(context.Context, any) (any, error) { <-end; return nil, nil })
			}()
		}
		go func() {
			done <- l.Stream(nil, &silent{}, &grpc.StreamServerInfo{FullMethod: put}, func(any, grpc.ServerStream) error { <-end; return nil })
		}()
		synctest.Wait()
		err := unary(t.Context(), l.Unary, get, fine)
		wait, hinted := hint(err)
		if status.Code(err) != codes.ResourceExhausted || !hinted || wait != whenBusy {
			t.Errorf("the fourth call at once = %v, hint %s, want RESOURCE_EXHAUSTED and %s", err, wait, whenBusy)
		}
		for _, method := range []string{health, schema} {
			if err := unary(t.Context(), l.Unary, method, fine); err != nil {
				t.Errorf("%s beside them = %v, want an answer", method, err)
			}
		}
		want := `
# HELP grpc_server_in_flight Calls and streams that are being answered.
# TYPE grpc_server_in_flight gauge
grpc_server_in_flight 3
# HELP grpc_server_refused_total Calls that were refused with RESOURCE_EXHAUSTED: too many at once (in_flight), or by one caller (rate).
# TYPE grpc_server_refused_total counter
grpc_server_refused_total{reason="in_flight"} 1
grpc_server_refused_total{reason="rate"} 0
`
		if err := testutil.GatherAndCompare(metrics, strings.NewReader(want)); err != nil {
			t.Error(err)
		}
		close(end)
		for range 3 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if err := unary(t.Context(), l.Unary, get, fine); err != nil {
			t.Errorf("a call after they ended = %v, want an answer", err)
		}
	})
}

func TestAPanicGivesItsPlaceBack(t *testing.T) {
	l, _ := newLimits(t, Options{MaxInFlight: 1})
	for range 3 {
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic did not reach whoever recovers it")
				}
			}()
			_ = unary(t.Context(), l.Unary, get, func(context.Context, any) (any, error) { panic("boom") })
		}()
	}
}

func TestDeadline(t *testing.T) {
	for name, tc := range map[string]struct {
		caller time.Duration // 0: none
		want   time.Duration
	}{
		"of a caller that gave none":   {0, 5 * time.Second},
		"a shorter one is kept":        {time.Second, time.Second},
		"a longer one is the caller's": {time.Minute, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, _ := newLimits(t, Options{Deadline: 5 * time.Second})
				ctx := t.Context()
				if tc.caller > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, tc.caller)
					defer cancel()
				}
				began := time.Now()
				err := unary(ctx, l.Unary, get, func(ctx context.Context, _ any) (any, error) { <-ctx.Done(); return nil, ctx.Err() })
				if took := time.Since(began); took != tc.want || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("a call that hangs ended after %s with %v, want %s and the deadline", took, err, tc.want)
				}
			})
		})
	}
}

func from(address string) context.Context {
	addr, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		panic(err)
	}
	return peer.NewContext(context.Background(), &peer.Peer{Addr: addr})
}

func TestRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, _ := newLimits(t, Options{Rate: 100, Burst: 100})
		call := func(ctx context.Context, method string) error { return unary(ctx, l.UnaryRate, method, fine) }
		loud := from("10.0.0.1:1000")
		for i := range 100 {
			if err := call(loud, get); err != nil {
				t.Fatalf("call %d of a burst = %v, want an answer", i+1, err)
			}
		}
		err := call(loud, get)
		wait, hinted := hint(err)
		if status.Code(err) != codes.ResourceExhausted || !hinted || wait <= 0 || wait > 10*time.Millisecond {
			t.Errorf("call 101 = %v, hint %s, want RESOURCE_EXHAUSTED and at most 10ms", err, wait)
		}
		if again, _ := hint(call(loud, get)); again > wait {
			t.Errorf("hint of the next call = %s, want no more than %s: who is refused waits in no queue", again, wait)
		}
		for name, other := range map[string]error{
			"another connection of it":      negate(call(from("10.0.0.1:2000"), get)),
			"another caller":                call(from("10.0.0.2:1000"), get),
			"another method":                call(loud, put),
			"its health checks":             call(loud, health),
			"a caller that nobody can tell": call(context.Background(), get),
		} {
			if other != nil {
				t.Errorf("%s: %v", name, other)
			}
		}
		time.Sleep(wait)
		if err := call(loud, get); err != nil {
			t.Errorf("call after the hint = %v, want an answer", err)
		}
	})
}

func negate(err error) error {
	if err == nil {
		return errors.New("answered, want it refused")
	}
	return nil
}

func TestRateOfStreams(t *testing.T) {
	l, _ := newLimits(t, Options{Rate: 1, Burst: 1})
	begin := func() error {
		return l.StreamRate(nil, &silent{ctx: from("10.0.0.1:1")}, &grpc.StreamServerInfo{FullMethod: put}, func(any, grpc.ServerStream) error { return nil })
	}
	if err := begin(); err != nil {
		t.Errorf("the first stream = %v, want it begun", err)
	}
	if err := begin(); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("the second within a second = %v, want RESOURCE_EXHAUSTED", err)
	}
}

func TestRateIsOffByDefault(t *testing.T) {
	l, _ := newLimits(t, Options{})
	for range 10_000 {
		if err := unary(from("10.0.0.1:1"), l.UnaryRate, get, fine); err != nil {
			t.Fatal(err)
		}
	}
}

// A flood of addresses must not fill the memory; what is forgotten first is who has rested longest.
func TestBucketsAreBounded(t *testing.T) {
	b, err := newBuckets(1, 1)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 * mostBuckets {
		b.take(get, string(rune('a'+i%26))+time.Duration(i).String())
	}
	if n := b.held.Len(); n != mostBuckets {
		t.Errorf("%d buckets are held, want %d", n, mostBuckets)
	}
}

type address struct{ network, text string }

func (a address) Network() string { return a.network }
func (a address) String() string  { return a.text }

func TestCaller(t *testing.T) {
	movie := identity.WithCaller(context.Background(), spiffeid.RequireFromString("spiffe://fleet/ns/cinema/sa/movie"))
	tcp := address{"tcp", "10.1.2.3:5"}
	inside := address{"bufconn", "bufconn"}
	none := func(context.Context) string { return "" }
	ada := func(context.Context) string { return "ada" }
	for name, tc := range map[string]struct {
		peer    *peer.Peer
		header  []string
		subject func(context.Context) string
		want    string
	}{
		"a certificate, before all":     {&peer.Peer{Addr: tcp}, nil, ada, "certificate spiffe://fleet/ns/cinema/sa/movie"},
		"a token":                       {&peer.Peer{Addr: tcp}, nil, ada, "subject ada"},
		"an address":                    {&peer.Peer{Addr: tcp}, nil, nil, "address 10.1.2.3"},
		"an address, not who it claims": {&peer.Peer{Addr: tcp}, []string{"1.1.1.1"}, none, "address 10.1.2.3"},
		"REST":                          {&peer.Peer{Addr: inside}, []string{"1.1.1.1, 10.9.9.9"}, none, "address 10.9.9.9"},
		"behind a trusted proxy":        {&peer.Peer{Addr: address{"tcp", "10.8.0.1:5"}}, []string{"6.6.6.6, 1.1.1.1"}, none, "address 1.1.1.1"},
		"REST, behind a trusted proxy":  {&peer.Peer{Addr: inside}, []string{"1.1.1.1, 10.8.0.1"}, none, "address 1.1.1.1"},
		"REST, of an unknown":           {&peer.Peer{Addr: inside}, nil, none, ""},
		"IPv6 by its network":           {&peer.Peer{Addr: address{"tcp", "[2001:db8:1:2:3::4]:5"}}, nil, none, "address 2001:db8:1:2::/64"},
		"IPv4 in IPv6":                  {&peer.Peer{Addr: address{"tcp", "[::ffff:10.1.2.3]:5"}}, nil, none, "address 10.1.2.3"},
		"a Unix socket":                 {&peer.Peer{Addr: address{"unix", "@"}}, nil, none, ""},
		"nobody":                        {nil, nil, none, ""},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := context.Background()
			if strings.HasPrefix(tc.want, "certificate") {
				ctx = movie
			}
			if tc.peer != nil {
				ctx = peer.NewContext(ctx, tc.peer)
			}
			ctx = metadata.NewIncomingContext(ctx, metadata.MD{"x-forwarded-for": tc.header})
			if got := caller(ctx, tc.subject, []netip.Prefix{netip.MustParsePrefix("10.8.0.0/16")}); got != tc.want {
				t.Errorf("caller() = %q, want %q", got, tc.want)
			}
		})
	}
}

// silent is a stream on which a message comes only when the test says so.
type silent struct {
	grpc.ServerStream

	ctx  context.Context
	next chan struct{}
}

func (s *silent) Context() context.Context { return s.ctx }

func (s *silent) RecvMsg(any) error {
	_, more := <-s.next
	if !more {
		return errors.New("the stream was closed")
	}
	return nil
}

func TestStreamIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, _ := newLimits(t, Options{StreamIdle: time.Minute})
		s := &silent{next: make(chan struct{})}
		go func() {
			for range 3 {
				time.Sleep(50 * time.Second)
				s.next <- struct{}{}
			}
		}()
		began := time.Now()
		err := l.Stream(nil, s, &grpc.StreamServerInfo{FullMethod: put}, func(_ any, stream grpc.ServerStream) error {
			for {
				if err := stream.RecvMsg(nil); err != nil {
					return err
				}
			}
		})
		if took := time.Since(began); status.Code(err) != codes.DeadlineExceeded || took != 210*time.Second {
			t.Errorf("a stream whose caller fell silent after 150 s ended after %s with %v, want 210s and DEADLINE_EXCEEDED", took, err)
		}
		close(s.next) // as gRPC does when the handler has returned
	})
}

func BenchmarkUnary(b *testing.B) {
	l, err := New(Options{MaxInFlight: 256, Deadline: time.Second, Rate: 1 << 30, Burst: 1 << 30}, prometheus.NewRegistry())
	if err != nil {
		b.Fatal(err)
	}
	ctx, info := from("10.0.0.1:1"), &grpc.UnaryServerInfo{FullMethod: get}
	b.ReportAllocs()
	for b.Loop() {
		_, _ = l.Unary(ctx, nil, info, func(ctx context.Context, req any) (any, error) { return l.UnaryRate(ctx, req, info, fine) })
	}
}
