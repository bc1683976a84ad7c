package transaction

import (
	"context"
	"errors"
)

// ErrInside is for a call over the network inside a transaction: while it lasts, the rows stay locked, and a transaction
// that is run again makes the call again.
var ErrInside = errors.New("a call over the network inside a database transaction: make it before the transaction or after it")

type key struct{}

// Mark is for the one who begins a transaction.
func Mark(ctx context.Context) context.Context { return context.WithValue(ctx, key{}, true) }

// Outside is nil, or ErrInside if the context is that of a transaction. Whoever calls another server asks first; so a test
// of the code that does it wrong cannot pass.
func Outside(ctx context.Context) error {
	if inside, _ := ctx.Value(key{}).(bool); inside {
		return ErrInside
	}
	return nil
}
