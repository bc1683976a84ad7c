package rpc

import (
	"fmt"
	"log/slog"
	"runtime/debug"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

// What interceptors.go does for unary calls, for streams.

func announceStreamRevision(revision string) grpc.StreamServerInterceptor {
	return func(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
		if revision != "" {
			// It fails only if headers were sent already, which nobody does before the handler.
			_ = stream.SetHeader(metadata.Pairs(RevisionHeader, revision))
		}
		return handler(srv, stream)
	}
}

func hideStreamInternals(log *slog.Logger) grpc.StreamServerInterceptor {
	return func(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
		if err := handler(srv, stream); err != nil {
			return show(stream.Context(), log, info.FullMethod, err)
		}
		return nil
	}
}

func recoverStreamPanic(panics prometheus.Counter) grpc.StreamServerInterceptor {
	return func(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) (err error) {
		defer func() {
			if p := recover(); p != nil {
				panics.Inc()
				err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
			}
		}()
		return handler(srv, stream)
	}
}
