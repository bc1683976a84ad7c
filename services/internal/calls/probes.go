package calls

import (
	"context"
	"sync"
)

// Probes owns the calls in the background that find out whether a dependency is back.
type Probes struct {
	ctx    context.Context // the life of the probes, which Close ends
	cancel context.CancelFunc

	mu     sync.Mutex
	closed bool
	wait   sync.WaitGroup
}

// NewProbes makes an owner without a call.
func NewProbes() *Probes {
	p := &Probes{}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	return p
}

// start runs a call that has the values of ctx, but not its end: whoever brought it has gone on.
func (p *Probes) start(ctx context.Context, call func(context.Context)) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(p.ctx, cancel) //nolint:contextcheck // the owner ends it, not the caller
	run := func() {
		defer cancel()
		defer stop()
		call(ctx)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		run() // it ends at once, and whoever counts it is told
		return
	}
	p.wait.Go(run)
}

// Close ends all calls and waits for them. Call it before the connections are closed.
func (p *Probes) Close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.cancel()
	p.wait.Wait()
}
