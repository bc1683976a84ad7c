package ingest

import (
	"errors"
	"sync"
	"time"

	"movieexample.com/fleet/services/internal/broker"
	"movieexample.com/fleet/services/internal/problem"
)

// What a consumer may wait for, as metrics name it.
const (
	forDatabase = "database"
	forBroker   = "broker"
)

// lingers is for how long what failed is shown after it works again, so that nobody who looks now and then misses it.
const lingers = 10 * time.Second

// away remembers what does not answer, for those who would else blame the program that waits for it.
type away struct {
	now func() time.Time

	mu           sync.Mutex
	failed, well map[string]time.Time
}

func newAway(now func() time.Time) *away {
	return &away{now: now, failed: map[string]time.Time{}, well: map[string]time.Time{}}
}

// note takes in what somebody was told of. What only a person can mend, such as a right that is not granted, is no waiting.
func (a *away) note(err error) {
	_, ofBroker := errors.AsType[*brokerError](err)
	switch {
	case ofBroker && broker.Reason(err) == broker.ReasonUnreachable:
		a.at(a.failed, forBroker)
	case !ofBroker && problem.KindOf(err) == problem.Unavailable:
		a.at(a.failed, forDatabase)
	}
}

// works is called when the database or the brokers have done what they were asked for.
func (a *away) works(what string) { a.at(a.well, what) }

func (a *away) at(times map[string]time.Time, what string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	times[what] = a.now()
}

// waits is true from the first failure until it works again, and a little longer.
func (a *away) waits(what string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	failed := a.failed[what]
	return !failed.IsZero() && (!a.well[what].After(failed) || a.now().Sub(failed) < lingers)
}
