package limits

import (
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// serverStream waits for a message of its caller no longer than idle.
type serverStream struct {
	grpc.ServerStream

	idle time.Duration
}

// RecvMsg reads the next message. The goroutine that waits for one in vain ends when the handler returns, which it does
// after this error: gRPC then closes the stream.
func (s *serverStream) RecvMsg(m any) error {
	received := make(chan error, 1)
	go func() { received <- s.ServerStream.RecvMsg(m) }()
	timer := time.NewTimer(s.idle)
	defer timer.Stop()
	select {
	case err := <-received:
		return err
	case <-timer.C:
		return status.Errorf(codes.DeadlineExceeded, "nothing came on the stream for %s", s.idle)
	}
}
