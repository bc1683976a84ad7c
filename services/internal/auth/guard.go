package auth

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"

	"movieexample.com/fleet/services/internal/problem"
)

// Guard holds the methods of a server to their rules.
type Guard struct {
	policy   Policy
	verifier *Verifier
	refusals *prometheus.CounterVec
}

// NewGuard asks the verifier about tokens.
func NewGuard(policy Policy, verifier *Verifier, metrics prometheus.Registerer) *Guard {
	g := &Guard{policy: policy, verifier: verifier, refusals: newRefusals()}
	metrics.MustRegister(g.refusals)
	return g
}

// Unary is for [grpc.UnaryServerInterceptor].
func (g *Guard) Unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	ctx, err := g.admit(ctx, info.FullMethod, req)
	if err != nil {
		return nil, problem.Status(ctx, err)
	}
	return handler(ctx, req)
}

// Stream is for [grpc.StreamServerInterceptor].
func (g *Guard) Stream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	ctx, err := g.admit(stream.Context(), info.FullMethod, nil)
	if err != nil {
		return problem.Status(ctx, err)
	}
	return handler(srv, &knownStream{ServerStream: stream, ctx: ctx})
}

type knownStream struct {
	grpc.ServerStream

	ctx context.Context
}

// Context is for [grpc.ServerStream].
func (s *knownStream) Context() context.Context { return s.ctx }

// admit is the context with the caller in it, or why the call is refused. A method without a rule is nobody's. The request
// is nil for a stream.
func (g *Guard) admit(ctx context.Context, method string, req any) (context.Context, error) {
	if outside(method) {
		return ctx, nil
	}
	rule, ok := g.policy[method]
	switch {
	case !ok:
		return ctx, problem.NewDenied("nobody may call this method")
	case !rule.needsToken:
		return ctx, nil
	}
	caller, err := g.identify(ctx)
	if err != nil {
		g.refusals.WithLabelValues(reasonOf(err)).Inc()
		return ctx, err
	}
	if rule.role != "" && !caller.Has(rule.role) {
		g.refusals.WithLabelValues(reasonRole).Inc()
		return ctx, problem.NewDenied("this call needs the role %q, which the token does not have", rule.role)
	}
	if rule.userField != "" {
		if err := caller.own(req, rule.userField); err != nil {
			g.refusals.WithLabelValues(reasonUser).Inc()
			return ctx, err
		}
	}
	return WithCaller(ctx, caller), nil
}

func (g *Guard) identify(ctx context.Context) (Caller, error) {
	text, err := bearer(ctx)
	if err != nil {
		return Caller{}, err
	}
	token, err := g.verifier.Verify(ctx, text)
	return token.Caller, err
}
