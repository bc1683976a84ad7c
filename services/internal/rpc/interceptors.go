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

// errInternal is all that a caller learns of a mistake of ours.
var errInternal = status.Error(codes.Internal, "internal error; the service's log has the cause")

// hideInternals lets through only errors that were made for callers, that is, gRPC statuses that the handler itself
// returns. Everything else is logged, and the caller gets INTERNAL.
func hideInternals(log *slog.Logger) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		resp, err := handler(ctx, req)
		switch {
		case err == nil:
			return resp, nil
		case isStatus(err):
			return nil, err
		case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
			return nil, status.FromContextError(ctxCause(err)).Err()
		}
		log.ErrorContext(ctx, "A call failed", telemetry.KeyMethod, info.FullMethod, telemetry.KeyError, err)
		return nil, errInternal
	}
}

// isStatus is true for a bare status only: a wrapped one carries text that was made for logs.
func isStatus(err error) bool {
	_, ok := err.(interface{ GRPCStatus() *status.Status }) //nolint:errorlint // on purpose, see above
	return ok
}

// ctxCause is the context's own error, without the text around it.
func ctxCause(err error) error {
	if errors.Is(err, context.Canceled) {
		return context.Canceled
	}
	return context.DeadlineExceeded
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
