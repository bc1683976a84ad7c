package breaker

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sony/gobreaker/v2"

	"movieexample.com/fleet/services/internal/telemetry"
)

// ErrOpen is wrapped by the error of a call that was not made.
var ErrOpen = errors.New("is not called for now: it answered nothing but failures")

// Outcome is how a call went, as far as it tells about the dependency.
type Outcome int

// What only tells about the caller (gone, impatient, wrong) is no failure of the dependency.
const (
	Good    Outcome = iota // it answered, be it with the caller's mistake
	Failed                 // it did not, or too late
	Unknown                // the call ended before anything was learnt
)

const (
	// openFor is how long no call is made before one is let through. It bounds how long a dependency that is back is
	// not noticed.
	openFor = time.Second
	// window and bucket bound what is remembered: the share of failures is that of the last ten seconds.
	window = 10 * time.Second
	bucket = time.Second
	// Most calls fail: at least so many ended, and two of three failed. A canary that fails every call stays below it
	// at any share up to 60 %, so that the breaker does not take its calls from its verdict.
	leastCalls = 20
	mostFailed = 2.0 / 3
)

// Breaker guards one dependency. It is safe for concurrent use.
type Breaker struct {
	dependency string
	gate       *gobreaker.TwoStepCircuitBreaker[struct{}]
	streak     *streak
	refusal    error
	rejected   prometheus.Counter
	state      prometheus.Gauge
	log        *slog.Logger
}

// New guards the dependency, which is called that in metrics and logs.
func New(dependency string, metrics *Metrics, log *slog.Logger) *Breaker {
	b := &Breaker{
		dependency: dependency,
		streak:     newStreak(),
		refusal:    fmt.Errorf("%s %w", dependency, ErrOpen),
		rejected:   metrics.rejected.WithLabelValues(dependency),
		state:      metrics.state.WithLabelValues(dependency),
		log:        log.With(telemetry.KeyComponent, "breaker"),
	}
	b.gate = gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		Name:          dependency,
		MaxRequests:   1, // half open, one call decides
		Interval:      window,
		BucketPeriod:  bucket,
		Timeout:       openFor,
		ReadyToTrip:   b.trips,
		OnStateChange: b.note,
		IsExcluded:    func(err error) bool { return errors.Is(err, errUnknown) },
	})
	return b
}

// How an outcome reads to the library.
var (
	errFailed  = errors.New("failed")
	errUnknown = errors.New("unknown")
)

// Pass is the right to make one call. Its end must be told, else a breaker that is half open stays so.
type Pass struct {
	// Probe means that this one call decides whether others are made again.
	Probe bool

	breaker *Breaker
	began   time.Time
	done    func(error)
}

// Refusal is the error of calls that are not made; it wraps ErrOpen.
func (b *Breaker) Refusal() error { return b.refusal }

// Allow gives a pass, or Refusal within a microsecond.
func (b *Breaker) Allow() (Pass, error) {
	probe := b.gate.State() == gobreaker.StateHalfOpen
	done, err := b.gate.Allow()
	if err != nil {
		b.rejected.Inc()
		return Pass{}, b.refusal
	}
	return Pass{Probe: probe, breaker: b, began: time.Now(), done: done}, nil
}

// Done tells how the call went, and which part of the dependency (a revision) answered or should have; "" means that
// nobody knows, or that none did.
func (p Pass) Done(part string, o Outcome) {
	switch o {
	case Good:
		p.breaker.streak.good(part)
		p.done(nil)
	case Failed:
		p.breaker.streak.failed(part, p.began)
		p.done(errFailed)
	default:
		p.done(errUnknown)
	}
}

func (b *Breaker) trips(c gobreaker.Counts) bool {
	ended := c.TotalSuccesses + c.TotalFailures
	return b.streak.dead() || ended >= leastCalls && float64(c.TotalFailures) >= mostFailed*float64(ended)
}

// note is called at each change, under the library's lock. A probe that failed changes nothing for whoever reads the log.
func (b *Breaker) note(_ string, from, to gobreaker.State) {
	b.state.Set(stateValue(to))
	switch {
	case from == gobreaker.StateClosed:
		b.log.Warn("Not calling for now: it answered nothing but failures", telemetry.KeyDependency, b.dependency, "try_every", openFor)
	case to == gobreaker.StateClosed:
		b.log.Info("Calling again", telemetry.KeyDependency, b.dependency)
	}
}
