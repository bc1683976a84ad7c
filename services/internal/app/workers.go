package app

import (
	"context"
	"sync"
)

// workers end the service's own workers before what they use is closed.
type workers struct {
	ending context.Context // ends when they are to end
	end    context.CancelFunc
	wait   sync.WaitGroup
}

func newWorkers(ctx context.Context) *workers {
	w := &workers{}
	w.ending, w.end = context.WithCancel(context.WithoutCancel(ctx))
	return w
}

// own is run with a context that ends with stop too.
func (w *workers) own(run func(context.Context) error) func(context.Context) error {
	w.wait.Add(1)
	return func(ctx context.Context) error {
		defer w.wait.Done()
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(w.ending, cancel)() //nolint:contextcheck // a second end, beside that of ctx
		err := run(ctx)
		if ctx.Err() != nil {
			return nil // it was told to end
		}
		return err
	}
}

// stop waits until all have ended, or the context does.
func (w *workers) stop(ctx context.Context) error {
	w.end()
	done := make(chan struct{})
	go func() { w.wait.Wait(); close(done) }() // ends with the workers, or with the process
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
