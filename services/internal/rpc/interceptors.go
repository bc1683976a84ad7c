package rpc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"movieexample.com/fleet/services/internal/breaker"
	"movieexample.com/fleet/services/internal/calls"
	"movieexample.com/fleet/services/internal/telemetry"
)

// announceRevision puts the revision into the header of each answer.
func announceRevision(revision string) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		if revision != "" {
			// It fails only if headers were sent already, which no unary handler of ours does.
			_ = grpc.SetHeader(ctx, metadata.Pairs(RevisionHeader, revision))
		}
		return handler(ctx, req)
	}
}

// boundAnswer says what to do about an answer that is too large for a message, of many records. gRPC would refuse it too, in
// words about itself, and behind the interceptor that counts calls.
func boundAnswer(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	resp, err := handler(ctx, req)
	if message, ok := resp.(proto.Message); ok && err == nil {
		if size := proto.Size(message); size > maxMessage {
			return nil, status.Errorf(codes.ResourceExhausted, "the answer has %.1f MiB, at most %d fit: ask for fewer at once",
				float64(size)/(1<<20), maxMessage>>20)
		}
	}
	return resp, err
}

// errInternal is all that a caller learns of a mistake of ours.
var errInternal = status.Error(codes.Internal, "internal error; the service's log has the cause")

// hideInternals lets through only errors that were made for callers, that is, what carries a gRPC status itself.
// Everything else becomes INTERNAL. The cause of a mistake of ours is logged here, once.
func hideInternals(log *slog.Logger) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		resp, err := handler(ctx, req)
		if err == nil {
			return resp, nil
		}
		return nil, show(ctx, log, info.FullMethod, err)
	}
}

// show is the error as the caller sees it, and logs what the caller does not see.
func show(ctx context.Context, log *slog.Logger, method string, err error) error {
	if errors.Is(err, breaker.ErrOpen) {
		calls.Settle(ctx)
	}
	shown := public(err)
	switch status.Code(shown) {
	case codes.Internal, codes.Unknown, codes.DataLoss:
		log.ErrorContext(ctx, "A call failed", telemetry.KeyMethod, method, telemetry.KeyError, err)
	case codes.Unavailable:
		log.DebugContext(ctx, "A call failed", telemetry.KeyMethod, method, telemetry.KeyError, err)
	}
	return shown
}

// public is the error as the caller sees it. A status that is wrapped was wrapped for logs.
func public(err error) error {
	if _, bare := err.(interface{ GRPCStatus() *status.Status }); bare {
		return err
	}
	switch {
	case errors.Is(err, context.Canceled):
		return status.FromContextError(context.Canceled).Err()
	case errors.Is(err, context.DeadlineExceeded):
		return status.FromContextError(context.DeadlineExceeded).Err()
	}
	return errInternal
}

// recoverPanic turns a panic of the handler into an error with the stack in it, which hideInternals logs as one line.
func recoverPanic(panics prometheus.Counter) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (resp any, err error) {
		defer func() {
			if p := recover(); p != nil {
				panics.Inc()
				err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
			}
		}()
		return handler(ctx, req)
	}
}
