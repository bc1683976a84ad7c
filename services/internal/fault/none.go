//go:build !faults

package fault

import (
	"context"
	"fmt"

	"google.golang.org/grpc"
)

// FromEnv refuses any fault: this build has none. To ignore the setting would make a test pass that tests nothing.
func FromEnv(lookup func(string) (string, bool)) (Switch, error) {
	if text, ok := lookup(Env); ok && text != "" {
		return nil, fmt.Errorf("%s is set (%q) but this program was built without faults: unset it, or build with -tags faults", Env, text)
	}
	return none{}, nil
}

type none struct{}

func (none) String() string { return "" }

func (none) Intercept(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	return handler(ctx, req)
}

func (none) Event(context.Context, int32) error { return nil }

func (none) Ready(context.Context) error { return nil }

func (none) Run(context.Context) error { return nil }
