package auth

import (
	"errors"

	"movieexample.com/fleet/services/internal/problem"
)

// Reasons are the values of the label reason: they are few, and none comes from a caller.
const (
	reasonMissing   = "missing"
	reasonMalformed = "malformed"
	reasonForged    = "forged"   // wrong signature, or an algorithm that is not ours
	reasonKey       = "key"      // a key that is not published
	reasonExpired   = "expired"  // or not valid yet
	reasonAudience  = "audience" // meant for others, or from others
	reasonRevoked   = "revoked"  // issued before tokensNotBefore
	reasonRole      = "role"
	reasonUser      = "user"      // the request is about somebody else
	reasonKeysAway  = "keys_away" // nobody can tell: auth has not been reached for long
)

// refusal is why a token does not open the door.
type refusal struct {
	error // a problem.Error: what the caller is told

	reason string
}

func (r *refusal) Unwrap() error { return r.error }

// refuse tells the caller in a sentence; cause is for logs and may be nil.
func refuse(reason string, cause error, format string, args ...any) error {
	return &refusal{reason: reason, error: problem.NewUnauthenticated(cause, format, args...)}
}

func reasonOf(err error) string {
	if r, ok := errors.AsType[*refusal](err); ok {
		return r.reason
	}
	return reasonMalformed
}
