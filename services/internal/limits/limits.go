package limits

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
)

// Options are the limits; what is 0 has none.
type Options struct {
	MaxInFlight int           // calls and streams at once
	Deadline    time.Duration // of a call whose caller gave none
	StreamIdle  time.Duration // longest silence of a caller on a stream
	Rate, Burst int           // calls a second, and at once, of one caller to one method
	// Subject is who the caller's token says it is, "" without a token; nil if tokens are not looked at.
	Subject func(context.Context) string
	// TrustedProxies say truly for whom they speak; see package origin.
	TrustedProxies []netip.Prefix
}

// Limits are the interceptors of one server. Health checks and reflection are exempt from all of them: who asks whether a
// busy server lives must get an answer.
type Limits struct {
	options  Options
	inFlight atomic.Int64
	buckets  *buckets
	refused  *prometheus.CounterVec
}

// Reasons of refusals.
const (
	reasonInFlight = "in_flight"
	reasonRate     = "rate"
)

// New makes the interceptors and registers their metrics.
func New(o Options, metrics prometheus.Registerer) (*Limits, error) {
	b, err := newBuckets(o.Rate, o.Burst)
	if err != nil {
		return nil, fmt.Errorf("make the rate limit: %w", err)
	}
	l := &Limits{options: o, buckets: b, refused: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "grpc_server_refused_total", Help: "Calls that were refused with RESOURCE_EXHAUSTED: too many at once (in_flight), or by one caller (rate).",
	}, []string{"reason"})}
	inFlight := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "grpc_server_in_flight", Help: "Calls and streams that are being answered.",
	}, func() float64 { return float64(l.inFlight.Load()) })
	metrics.MustRegister(l.refused, inFlight)
	for _, reason := range []string{reasonInFlight, reasonRate} {
		l.refused.WithLabelValues(reason)
	}
	return l, nil
}

func exempt(method string) bool {
	return strings.HasPrefix(method, "/grpc.health.") || strings.HasPrefix(method, "/grpc.reflection.")
}

// whenBusy is the hint to come back of a server that is busy: about the time that many calls take.
const whenBusy = 100 * time.Millisecond

// enter counts a call in; leave must follow if it is let in.
func (l *Limits) enter() error {
	if n := l.inFlight.Add(1); l.options.MaxInFlight > 0 && n > int64(l.options.MaxInFlight) {
		l.leave()
		return l.refuse(reasonInFlight, whenBusy, "the server answers %d calls already, the most it takes at once", l.options.MaxInFlight)
	}
	return nil
}

func (l *Limits) leave() { l.inFlight.Add(-1) }

func (l *Limits) refuse(reason string, wait time.Duration, format string, args ...any) error {
	l.refused.WithLabelValues(reason).Inc()
	s := status.Newf(codes.ResourceExhausted, format, args...)
	detailed, err := s.WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(wait)})
	if err != nil { // only for a message that cannot be packed
		return s.Err()
	}
	return detailed.Err()
}

// Unary bounds how many calls there are at once, and gives each of them an end.
func (l *Limits) Unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	if exempt(info.FullMethod) {
		return handler(ctx, req)
	}
	if err := l.enter(); err != nil {
		return nil, err
	}
	defer l.leave()
	if _, ok := ctx.Deadline(); !ok && l.options.Deadline > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, l.options.Deadline)
		defer cancel()
	}
	return handler(ctx, req)
}

// Stream bounds how many streams there are at once, and how long a caller may be silent.
func (l *Limits) Stream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	if exempt(info.FullMethod) {
		return handler(srv, stream)
	}
	if err := l.enter(); err != nil {
		return err
	}
	defer l.leave()
	if l.options.StreamIdle > 0 {
		stream = &serverStream{ServerStream: stream, idle: l.options.StreamIdle}
	}
	return handler(srv, stream)
}

// UnaryRate bounds the calls of one caller. It stands after whoever looks at tokens.
func (l *Limits) UnaryRate(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	if err := l.rate(ctx, info.FullMethod); err != nil {
		return nil, err
	}
	return handler(ctx, req)
}

// StreamRate bounds the streams that one caller begins.
func (l *Limits) StreamRate(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	if err := l.rate(stream.Context(), info.FullMethod); err != nil {
		return err
	}
	return handler(srv, stream)
}

// rate lets a call through whose caller nobody can tell: a limit must not end what it protects.
func (l *Limits) rate(ctx context.Context, method string) error {
	if l.buckets == nil || exempt(method) {
		return nil
	}
	who := caller(ctx, l.options.Subject, l.options.TrustedProxies)
	if who == "" {
		return nil
	}
	if wait := l.buckets.take(method, who); wait > 0 {
		return l.refuse(reasonRate, wait, "more than %d calls a second of one caller to this method; wait as the answer says", l.options.Rate)
	}
	return nil
}
