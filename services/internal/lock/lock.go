package lock

import (
	"context"
	"errors"
)

// ErrLost is the cause that ends the context of work whose lock may be another's.
var ErrLost = errors.New("the lock was lost")

// Work is what is done under a lock. Its context ends with the lock. The index is higher than that of any holder before:
// whoever stores the work's result with it can refuse a holder that has not yet noticed that it is late.
type Work func(ctx context.Context, index uint64) error

// Locker gives locks by name.
type Locker interface {
	// Do calls work under the lock, and waits for it to return even if the lock is lost. held is false if another has
	// the lock, or if nobody can tell (then there is an error too); work was not called. The error is that of work, and
	// wraps [ErrLost] if the lock was lost meanwhile.
	Do(ctx context.Context, name string, work Work) (held bool, err error)
}
