//go:build faults

package fault

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// FromEnv reads the faults. A word that it does not know is an error.
func FromEnv(lookup func(string) (string, bool)) (Switch, error) {
	text, _ := lookup(Env)
	s, err := parse(text)
	if err != nil {
		return nil, err
	}
	return &faults{spec: s, text: text, chance: rand.Float64, exit: os.Exit}, nil
}

type faults struct {
	spec

	text   string
	chance func() float64 // from 0 up to 1
	exit   func(code int)
}

func (f *faults) String() string { return f.text }

// Intercept leaves health checks and reflection alone: a pod that answers badly is still ready.
func (f *faults) Intercept(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	if strings.HasPrefix(info.FullMethod, "/grpc.") {
		return handler(ctx, req)
	}
	if err := f.delay(ctx); err != nil {
		return nil, err
	}
	switch {
	case f.panicIn != "" && path.Base(info.FullMethod) == f.panicIn:
		panic("fault: panic in " + f.panicIn)
	case f.notFound:
		return nil, status.Error(codes.NotFound, "fault: not found")
	case f.chance() < f.errorRate:
		return nil, status.Error(codes.Internal, "fault: error")
	}
	return handler(ctx, req)
}

func (f *faults) delay(ctx context.Context) error {
	if f.chance() < f.hangRate {
		<-ctx.Done()
		return status.FromContextError(ctx.Err()).Err()
	}
	if f.latency == 0 {
		return nil
	}
	select {
	case <-ctx.Done():
		return status.FromContextError(ctx.Err()).Err()
	case <-time.After(f.latency):
		return nil
	}
}

// Event waits until the consumer gives the partition back, or fails some events for no reason of their own.
func (f *faults) Event(ctx context.Context, partition int32) error {
	if slices.Contains(f.hangOn, partition) {
		<-ctx.Done()
		return ctx.Err()
	}
	if f.chance() < f.eventRate {
		return errors.New("fault: event")
	}
	return nil
}

func (f *faults) Ready(context.Context) error {
	if f.neverReady {
		return errors.New("fault: never ready")
	}
	return nil
}

// Run crashes the process when it is time, and keeps processors busy until then. The crash is the only place outside
// main that exits: it stands for a bug that gives nobody the time to stop in order.
func (f *faults) Run(ctx context.Context) error {
	if f.crashAfter > 0 {
		timer := time.AfterFunc(f.crashAfter, f.crash)
		defer timer.Stop()
	}
	var wait sync.WaitGroup
	for busy := f.cpu; busy > 0; busy-- {
		wait.Go(func() { burn(ctx, min(busy, 1)) })
	}
	wait.Wait()
	<-ctx.Done()
	return nil
}

func (f *faults) crash() {
	fmt.Fprintf(os.Stderr, "crashing %s after the start, as the fault switch asks\n", f.crashAfter)
	f.exit(1)
}

// burn keeps one processor busy for the share of each tenth of a second.
func burn(ctx context.Context, share float64) {
	const slice = 100 * time.Millisecond
	for ctx.Err() == nil {
		work := time.Duration(share * float64(slice))
		for began := time.Now(); time.Since(began) < work; {
			continue
		}
		select {
		case <-ctx.Done():
		case <-time.After(slice - work):
		}
	}
}
