package fault

import (
	"context"

	"google.golang.org/grpc"
)

// Env names the environment variable with the faults, for example error=0.05,latency=200ms.
const Env = "FLEET_FAULT"

// Switch is what a service needs to misbehave. All its parts do nothing when no fault is set.
type Switch interface {
	// String is the faults as they were given; empty means none.
	String() string
	// Intercept stands right before the handlers.
	Intercept(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error)
	// Event stands right before an event of a partition is applied: an error breaks the consumer on this event.
	Event(ctx context.Context, partition int32) error
	// Ready is a readiness check.
	Ready(ctx context.Context) error
	// Run does what goes on in the background until the context ends.
	Run(ctx context.Context) error
}
