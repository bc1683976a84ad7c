package storage

import (
	"log/slog"
	"sync"
	"time"

	"movieexample.com/fleet/services/internal/binding"
	"movieexample.com/fleet/services/internal/telemetry"
)

const (
	// lookEvery is how often the files are read while connections are in use.
	lookEvery = time.Second
	// tryAgainEvery is how often credentials that the server has refused are tried again.
	tryAgainEvery = 5 * time.Second
)

// credentials are the binding's as they change. New connections use the new ones; a connection made with others is
// replaced when it is used next. Credentials that cannot be used (files being written, a user that is not there yet)
// leave the good ones in use, as long as those are for the same database: going back to another could write to the one
// that was left.
type credentials struct {
	dir string
	log *slog.Logger
	now func() time.Time

	mu      sync.Mutex
	looked  time.Time
	wanted  binding.MySQL // what the files hold
	good    binding.MySQL // what connected last
	changed time.Time     // when others became the good ones
	refused time.Time     // when the server refused the wanted ones last; zero if it did not
	trouble string        // the last problem that was logged
}

func newCredentials(dir string, log *slog.Logger, now func() time.Time) *credentials {
	return &credentials{dir: dir, log: log, now: now}
}

// next is what the next connection uses.
func (c *credentials) next() (binding.MySQL, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.look(); err != nil && c.good == (binding.MySQL{}) {
		return binding.MySQL{}, bindingError{err}
	}
	return c.best(), nil
}

// outdated tells whether a connection made with b should be replaced.
func (c *credentials) outdated(b binding.MySQL) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.now().Sub(c.looked) >= lookEvery {
		_ = c.look() // it has been logged, and what is known stays
	}
	return b != c.best()
}

// best is the wanted ones, unless they were refused a moment ago.
func (c *credentials) best() binding.MySQL {
	if !c.refused.IsZero() && c.now().Sub(c.refused) < tryAgainEvery && c.canGoBack() {
		return c.good
	}
	return c.wanted
}

func (c *credentials) canGoBack() bool {
	return c.good != (binding.MySQL{}) && c.good.Address() == c.wanted.Address() && c.good.Database == c.wanted.Database
}

// look reads the files; if they cannot be used, what was read before stays.
func (c *credentials) look() error {
	c.looked = c.now()
	b, err := binding.ReadMySQL(c.dir)
	if err != nil {
		if c.wanted != (binding.MySQL{}) {
			c.note("The database's binding cannot be used; the credentials read before stay in use", err)
		}
		return err
	}
	if b != c.wanted {
		c.wanted, c.refused = b, time.Time{}
	}
	return nil
}

// accept notes that the server has let b in.
func (c *credentials) accept(b binding.MySQL) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if b != c.wanted {
		return
	}
	if c.good != b && c.good != (binding.MySQL{}) {
		c.log.Info("New database connections use the changed credentials", "binding", b.String())
		c.changed = c.now()
	}
	c.good, c.refused, c.trouble = b, time.Time{}, ""
}

// refuse notes that the server has refused b, and gives what to try in its place, if there is anything.
func (c *credentials) refuse(b binding.MySQL, err error) (binding.MySQL, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case b != c.wanted: // the server has followed the files meanwhile, and another connection may have been made by now
		return c.wanted, true
	case c.wanted == c.good && c.now().Sub(c.changed) < tryAgainEvery: // refused before the server had them, and let in after
		return c.wanted, true
	case c.wanted == c.good || !c.canGoBack():
		return binding.MySQL{}, false
	}
	c.refused = c.now()
	c.note("The database refuses the changed credentials; the ones before stay in use", err)
	return c.good, true
}

// note logs each problem once, however many connections meet it.
func (c *credentials) note(message string, err error) {
	if c.trouble != err.Error() {
		c.trouble = err.Error()
		c.log.Warn(message, telemetry.KeyError, err)
	}
}
