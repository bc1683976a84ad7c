package identity

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"golang.org/x/time/rate"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"movieexample.com/fleet/services/internal/telemetry"
)

// Admission lets only some callers in. It answers calls and does not end connections, because TLS has no words: a caller
// would learn of a bad certificate, and look for the fault there.
type Admission struct {
	clients []spiffeid.ID
	log     *slog.Logger
	seldom  *rate.Sometimes
}

// Admit makes a server answer the clients only; an empty list lets everybody in.
func Admit(clients []spiffeid.ID, log *slog.Logger) *Admission {
	return &Admission{clients: clients, log: log, seldom: &rate.Sometimes{First: 3, Interval: time.Second}}
}

// Unary is the interceptor of unary calls.
func (a *Admission) Unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	if err := a.check(ctx, info.FullMethod); err != nil {
		return nil, err
	}
	return handler(ctx, req)
}

// Stream is the interceptor of streams.
func (a *Admission) Stream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	if err := a.check(stream.Context(), info.FullMethod); err != nil {
		return err
	}
	return handler(srv, stream)
}

func (a *Admission) check(ctx context.Context, method string) error {
	if len(a.clients) == 0 || strings.HasPrefix(method, "/"+healthv1.Health_ServiceDesc.ServiceName+"/") {
		return nil
	}
	id, ok := Caller(ctx)
	if slices.Contains(a.clients, id) { // none is not in the list
		return nil
	}
	name := "a caller without a certificate"
	if ok {
		name = id.String()
	}
	a.seldom.Do(func() {
		a.log.WarnContext(ctx, "A caller was refused: it is not in tls.clients", "caller", name, telemetry.KeyMethod, method)
	})
	return status.Errorf(codes.PermissionDenied, "%s may not call this service: it is not one of its clients (tls.clients)", name)
}
