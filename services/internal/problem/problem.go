package problem

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Kind is what sort of failure a caller is told about.
type Kind int

// Every kind but Internal is made on purpose by a controller, a repository or a gateway.
const (
	Internal        Kind = iota // anything that nobody gave a kind: the caller learns no more than that
	Invalid                     // the request breaks rules; it names each field at fault
	NotFound                    // what was asked for is not there
	Unavailable                 // something that is needed is away; trying again later is right
	Exhausted                   // more than there is room for; the message says of what
	Aborted                     // somebody else was faster; asking how things are now and trying again is right
	Unimplemented               // this installation does not do it; the message says what it lacks
	Unauthenticated             // nobody knows who calls
	Denied                      // who calls is known and may not do this
)

// Violation is one field of a request that breaks a rule.
type Violation struct {
	Field       string // path in the request, as in the proto file: metadata.title
	Description string // what is wrong and what is right
}

// Error is a failure with its kind. Message is for the caller and holds no internals; the cause is for the log.
type Error struct {
	Kind       Kind
	Message    string
	Violations []Violation
	RetryAfter time.Duration // of Exhausted, 0 if nobody knows
	cause      error
}

// Error is the whole story, for logs: message and cause.
func (e *Error) Error() string {
	if e.cause == nil {
		return e.Message
	}
	return e.Message + ": " + e.cause.Error()
}

// Unwrap is the cause.
func (e *Error) Unwrap() error { return e.cause }

// NewNotFound says in a sentence what is not there.
func NewNotFound(format string, args ...any) error {
	return &Error{Kind: NotFound, Message: fmt.Sprintf(format, args...)}
}

// NewUnavailable says in a sentence what is away. The cause is logged and never sent.
func NewUnavailable(cause error, format string, args ...any) error {
	return &Error{Kind: Unavailable, Message: fmt.Sprintf(format, args...), cause: cause}
}

// NewExhausted says in a sentence what there is too much of. The cause is logged and never sent; it may be nil.
func NewExhausted(cause error, format string, args ...any) error {
	return &Error{Kind: Exhausted, Message: fmt.Sprintf(format, args...), cause: cause}
}

// NewLimited is Exhausted for a while: from when on it is worth trying again is told too.
func NewLimited(retryAfter time.Duration, format string, args ...any) error {
	return &Error{Kind: Exhausted, Message: fmt.Sprintf(format, args...), RetryAfter: retryAfter}
}

// NewAborted says in a sentence what has changed meanwhile.
func NewAborted(format string, args ...any) error {
	return &Error{Kind: Aborted, Message: fmt.Sprintf(format, args...)}
}

// NewUnimplemented says in a sentence what is missing, and who can add it.
func NewUnimplemented(format string, args ...any) error {
	return &Error{Kind: Unimplemented, Message: fmt.Sprintf(format, args...)}
}

// NewUnauthenticated says in a sentence why nobody knows who calls. The cause is logged and never sent; it may be nil.
func NewUnauthenticated(cause error, format string, args ...any) error {
	return &Error{Kind: Unauthenticated, Message: fmt.Sprintf(format, args...), cause: cause}
}

// NewDenied says in a sentence what the caller may not do.
func NewDenied(format string, args ...any) error {
	return &Error{Kind: Denied, Message: fmt.Sprintf(format, args...)}
}

// NewInvalid lists every field at fault. It is nil when there is none.
func NewInvalid(violations []Violation) error {
	if len(violations) == 0 {
		return nil
	}
	lines := make([]string, len(violations))
	for i, v := range violations {
		lines[i] = v.Field + " " + v.Description
	}
	return &Error{Kind: Invalid, Message: strings.Join(lines, "; "), Violations: violations}
}

// KindOf is the kind of err, Internal if it has none.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Internal
}
