package calls

import (
	"context"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"movieexample.com/fleet/services/internal/breaker"
	"movieexample.com/fleet/services/internal/discovery/balance"
)

// patience is what a dependency may take before a caller whose time is up tells anything about it: who gives it a
// millisecond must not end the calls of all others.
const patience = 100 * time.Millisecond

// Guard makes no call while the breaker is open; such a call is UNAVAILABLE at once. Probes runs the calls that find out
// whether the dependency is back.
func Guard(next grpc.ClientConnInterface, b *breaker.Breaker, probes *Probes) grpc.ClientConnInterface {
	return &guarded{ClientConnInterface: next, breaker: b, probes: probes, methods: &methods{}}
}

type guarded struct {
	grpc.ClientConnInterface // streams are not judged: an upload says little about other calls

	breaker *breaker.Breaker
	probes  *Probes
	methods *methods
}

// Invoke makes one call. If it is the one that tries a dependency which was dead, and leaves no trace, a copy of it is
// made in the background: its caller should not wait for the dead.
func (g *guarded) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	pass, err := g.breaker.Allow()
	if err != nil {
		return status.Error(codes.Unavailable, err.Error())
	}
	request, isRequest := args.(proto.Message)
	answer, isAnswer := reply.(proto.Message)
	if !pass.Probe || !isRequest || !isAnswer || !g.methods.readOnly(method) {
		return g.invoke(ctx, pass, method, args, reply, opts...)
	}
	request, answer = proto.Clone(request), answer.ProtoReflect().New().Interface()
	g.probes.start(balance.WithNewPicked(ctx), func(ctx context.Context) {
		_ = g.invoke(ctx, pass, method, request, answer) // the breaker learns how it ended; nobody else waits
	})
	return status.Error(codes.Unavailable, g.breaker.Refusal().Error())
}

func (g *guarded) invoke(ctx context.Context, pass breaker.Pass, method string, args, reply any, opts ...grpc.CallOption) error {
	ctx, picked := balance.WithPicked(ctx)
	outcome := breaker.Unknown // of a call that panics
	defer func() { pass.Done(picked.Revision(), outcome) }()
	began := time.Now()
	err := g.ClientConnInterface.Invoke(ctx, method, args, reply, opts...)
	outcome = judge(err, time.Since(began))
	return err
}

func judge(err error, took time.Duration) breaker.Outcome {
	switch status.Code(err) {
	case codes.Unavailable:
		return breaker.Failed
	case codes.DeadlineExceeded:
		if took >= patience {
			return breaker.Failed
		}
		return breaker.Unknown
	case codes.Canceled:
		return breaker.Unknown
	default:
		return breaker.Good
	}
}
