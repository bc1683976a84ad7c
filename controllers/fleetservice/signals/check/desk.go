package check

import (
	"context"
	"sync"
	"time"

	"k8s.io/utils/clock"
)

// Desk asks in the background, so that nobody who is slow to answer delays a verdict on counters. At most one
// asking is under way for each service and weight. For concurrent use.
type Desk struct {
	clock  clock.PassiveClock
	life   context.Context // ends with Close; who asks ends sooner than the asking
	end    context.CancelFunc
	asking sync.WaitGroup

	mu     sync.Mutex
	closed bool
	files  map[string]*file
}

// file is what is known of one service.
type file struct {
	check   Check
	rollout Rollout
	latest  Answer
	asked   time.Time
	busy    bool
}

// NewDesk returns a desk that works until Close.
func NewDesk(clk clock.PassiveClock) *Desk {
	d := &Desk{clock: clk, files: map[string]*file{}}
	d.life, d.end = context.WithCancel(context.Background())
	return d
}

// Close ends all askings and waits for them.
func (d *Desk) Close() {
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	d.end()
	d.asking.Wait()
}

// Ask returns the latest answer about a rollout of the service, and asks anew when the last asking began so long ago. Until
// there is an answer at this weight it is Wait: what was said before a step says nothing of the step.
func (d *Desk) Ask(service string, c Check, r Rollout, every time.Duration) Answer {
	d.mu.Lock()
	defer d.mu.Unlock()
	f := d.files[service]
	if f == nil || f.rollout != r || f.check != c {
		f = &file{check: c, rollout: r, latest: Answer{Wait, "the checks of this step have not answered yet"}}
		d.files[service] = f
	}
	now := d.clock.Now()
	if d.closed || f.busy || (!f.asked.IsZero() && now.Sub(f.asked) < every) {
		return f.latest
	}
	f.busy, f.asked = true, now
	d.asking.Go(func() {
		answer := c.Ask(d.life, r)
		d.mu.Lock()
		defer d.mu.Unlock()
		f.latest, f.busy = answer, false
	})
	return f.latest
}

// Forget drops what is known of a service that is gone, or that has no rollout.
func (d *Desk) Forget(service string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.files, service)
}
