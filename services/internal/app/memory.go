package app

import (
	"context"
	"log/slog"
	"runtime/debug"

	"github.com/KimMachineGun/automemlimit/memlimit"

	"movieexample.com/fleet/services/internal/telemetry"
)

// gcPercent lets the heap grow to five times what is in use before it is collected. What a service has in use is a few
// megabytes: at Go's 100 % it would collect many times a second under load.
const gcPercent = 400

// useMemory makes the most of the memory that there is, and no more: near the pod's limit Go collects as often as it must.
// GOGC and GOMEMLIMIT have the last word.
func useMemory(ctx context.Context, proc process, log *slog.Logger) {
	if _, set := proc.lookupEnv("GOGC"); !set {
		debug.SetGCPercent(gcPercent)
	}
	if _, err := memlimit.Set(memlimit.WithProvider(memlimit.FromCgroup)); err != nil {
		log.DebugContext(ctx, "No memory limit is known", telemetry.KeyError, err)
	}
}
