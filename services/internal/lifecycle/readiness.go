package lifecycle

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// Check is one condition of readiness: nil when it holds, else a sentence that says what is wrong and what to do.
type Check struct {
	Name string
	Run  func(context.Context) error
	// Fallback means that the service can do without what is checked, once it has been there: then its absence is shown
	// and does not end readiness.
	Fallback bool
}

// State is a moment's readiness.
type State struct {
	Ready  bool
	Checks []Result // in the order of the checks
}

// Result is the outcome of one check; Problem is empty when it holds. Fallback means that the service is ready all the same.
type Result struct {
	Name     string
	Problem  string
	Fallback bool
}

var (
	errNotAsked = errors.New("has not been checked yet")
	errStopping = errors.New("the service is stopping")
)

const (
	checkEvery   = time.Second
	checkStart   = 100 * time.Millisecond // until the first time it is ready: a start should not wait for a tick
	checkTimeout = 2 * time.Second
)

// Readiness asks all checks once a second and remembers the answer, so that probes cost nothing however many there are.
type Readiness struct {
	log    *slog.Logger
	checks []Check
	notify []func(ready bool)

	held []bool // of Run alone: the checks that have held once

	mu       sync.Mutex
	state    State
	answered bool
	draining bool
}

// NewReadiness starts out not ready.
func NewReadiness(log *slog.Logger, checks []Check) *Readiness {
	r := &Readiness{log: log, checks: checks, held: make([]bool, len(checks))}
	r.state = State{Checks: r.all(errNotAsked)}
	return r
}

// OnChange calls f whenever readiness turns. Add it before Run; f must not wait.
func (r *Readiness) OnChange(f func(ready bool)) { r.notify = append(r.notify, f) }

// State is the last answer.
func (r *Readiness) State() State {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state
}

// Ready tells whether every check held the last time.
func (r *Readiness) Ready() bool { return r.State().Ready }

// Drain makes the service not ready for good: it is about to stop.
func (r *Readiness) Drain() {
	r.mu.Lock()
	r.draining = true
	r.mu.Unlock()
	r.store(State{Checks: []Result{{Name: "lifecycle", Problem: errStopping.Error()}}})
}

// Run asks the checks until the context ends.
func (r *Readiness) Run(ctx context.Context) error {
	for wait := checkStart; ; {
		r.ask(ctx)
		if r.Ready() {
			wait = checkEvery
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

func (r *Readiness) ask(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	results := make([]Result, len(r.checks))
	var wait sync.WaitGroup
	for i, c := range r.checks {
		wait.Go(func() { results[i] = result(c.Name, guard(func() error { return c.Run(ctx) })) })
	}
	wait.Wait()
	if errors.Is(ctx.Err(), context.Canceled) {
		return // the end of the service is not an answer
	}
	for i, c := range r.checks {
		if !failed(results[i]) {
			r.held[i] = true
		}
		results[i].Fallback = failed(results[i]) && c.Fallback && r.held[i]
	}
	r.store(State{Ready: !slices.ContainsFunc(results, prevents), Checks: results})
}

func prevents(r Result) bool { return failed(r) && !r.Fallback }

func result(name string, err error) Result {
	if err != nil {
		return Result{Name: name, Problem: err.Error()}
	}
	return Result{Name: name}
}

func failed(r Result) bool { return r.Problem != "" }

func (r *Readiness) all(err error) []Result {
	results := make([]Result, 0, len(r.checks))
	for _, c := range r.checks {
		results = append(results, result(c.Name, err))
	}
	return results
}

// store keeps the state, and tells about a turn: one log line, however long it lasts.
func (r *Readiness) store(s State) {
	r.mu.Lock()
	if r.draining && s.Ready { // a check that was under way when the stop began
		r.mu.Unlock()
		return
	}
	turned := !r.answered || r.state.Ready != s.Ready
	r.state, r.answered = s, true
	r.mu.Unlock()
	if !turned {
		return
	}
	if s.Ready {
		r.log.Info("Ready")
	} else {
		r.log.Warn("Not ready", "checks", problems(s.Checks))
	}
	for _, f := range r.notify {
		f(s.Ready)
	}
}

func problems(results []Result) []string {
	var list []string
	for _, r := range results {
		if failed(r) {
			list = append(list, r.Name+": "+r.Problem)
		}
	}
	return list
}
