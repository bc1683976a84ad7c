package calls

import (
	"context"
	"errors"
	"io"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"movieexample.com/fleet/services/internal/transaction"
)

// Limit ends a call after timeout, retries included, or earlier if its caller's time is up earlier; and a stream once
// nothing moved on it for idle.
func Limit(next grpc.ClientConnInterface, timeout, idle time.Duration) grpc.ClientConnInterface {
	return &limited{next: next, timeout: timeout, idle: idle}
}

type limited struct {
	next          grpc.ClientConnInterface
	timeout, idle time.Duration
}

// Invoke makes one call.
func (l *limited) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	if err := transaction.Outside(ctx); err != nil {
		return status.Error(codes.Internal, err.Error())
	}
	ctx, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	return l.next.Invoke(ctx, method, args, reply, opts...)
}

// NewStream begins a stream, which may last as long as its caller lets it.
func (l *limited) NewStream(ctx context.Context, desc *grpc.StreamDesc, method string, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	if err := transaction.Outside(ctx); err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	ctx, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(l.idle, func() { cancel(errIdle) })
	stream, err := l.next.NewStream(ctx, desc, method, opts...)
	if err != nil {
		timer.Stop()
		cancel(nil)
		return nil, err
	}
	return &clientStream{ClientStream: stream, ctx: ctx, cancel: cancel, timer: timer, idle: l.idle, last: !desc.ServerStreams}, nil
}

var errIdle = errors.New("nothing moved on the stream for too long")

// clientStream pushes its end away with each message. A caller that drops the stream leaves no more than the timer.
type clientStream struct {
	grpc.ClientStream

	ctx    context.Context // the stream's, to learn why it ended
	cancel context.CancelCauseFunc
	timer  *time.Timer
	idle   time.Duration
	last   bool // the first message received is the last
}

func (s *clientStream) SendMsg(m any) error {
	s.timer.Reset(s.idle)
	err := s.ClientStream.SendMsg(m)
	if err != nil && !errors.Is(err, io.EOF) { // io.EOF: RecvMsg has the reason
		s.end()
	}
	return s.explain(err)
}

func (s *clientStream) RecvMsg(m any) error {
	s.timer.Reset(s.idle)
	err := s.ClientStream.RecvMsg(m)
	if err != nil || s.last {
		s.end()
	}
	return s.explain(err)
}

func (s *clientStream) end() {
	s.timer.Stop()
	s.cancel(nil)
}

// explain turns the CANCELED of a stream that we ended into what it was.
func (s *clientStream) explain(err error) error {
	if status.Code(err) == codes.Canceled && errors.Is(context.Cause(s.ctx), errIdle) {
		return status.Errorf(codes.DeadlineExceeded, "%v (%s)", errIdle, s.idle)
	}
	return err
}
