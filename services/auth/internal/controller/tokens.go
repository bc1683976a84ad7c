package controller

import (
	"context"
	"net/netip"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"movieexample.com/fleet/services/auth/internal/attempts"
	"movieexample.com/fleet/services/auth/internal/model"
	"movieexample.com/fleet/services/internal/auth"
	"movieexample.com/fleet/services/internal/problem"
)

// A token cannot be called back one by one, so it lives shortly; that of an editor, who can do more harm, shorter.
const (
	lifetime       = 15 * time.Minute
	lifetimeEditor = 5 * time.Minute
)

// patience is how long a login waits for its turn when many come at once.
const patience = 4 * time.Second

// Users keeps users. Get is NotFound for one who is not there.
type Users interface {
	Get(ctx context.Context, name string) (model.User, error)
}

// Passwords compares a password with a stored hash; with "" it does the same work and matches nothing.
type Passwords interface {
	Matches(ctx context.Context, password, hash string) (bool, error)
}

// Signer makes tokens.
type Signer interface {
	Sign(claims auth.Claims) (string, error)
}

// Verifier checks tokens as every service of the fleet does.
type Verifier interface {
	Verify(ctx context.Context, token string) (auth.Token, error)
}

// Tokens gives out tokens. It is safe for concurrent use.
type Tokens struct {
	Users     Users
	Passwords Passwords
	Attempts  *attempts.Limiter
	Signer    Signer
	Verifier  Verifier
	Now       func() time.Time
	// Issuer and Audience stand in each token.
	Issuer, Audience string
}

// errRefused is the one answer to a wrong name, a wrong password and a disabled user.
func errRefused() error {
	return problem.NewUnauthenticated(nil, "the user name or the password is not right")
}

// Get is a token for somebody who knows the password, and when it expires. From is where the call came from.
func (t *Tokens) Get(ctx context.Context, from netip.Prefix, name, password string) (token string, expire time.Time, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, problem.NewUnavailable(nil, "too many want a token at this moment"))
	defer cancel()
	user, err := t.authenticate(ctx, from, name, password)
	if err != nil {
		if problem.KindOf(err) == problem.Internal && ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return "", time.Time{}, err
	}
	return t.issue(user)
}

// authenticate counts what fails by the caller's doing, and only that.
func (t *Tokens) authenticate(ctx context.Context, from netip.Prefix, name, password string) (model.User, error) {
	attempt, wait, err := t.Attempts.Begin(ctx, "user "+name, "from "+from.String())
	if err != nil {
		return model.User{}, err
	}
	if wait > 0 {
		return model.User{}, problem.NewLimited(wait, "too many attempts have failed: try again in %s", wait.Round(time.Second))
	}
	user, right, err := t.matches(ctx, name, password)
	switch {
	case err != nil:
		attempt.Over()
		return model.User{}, err
	case !right:
		attempt.Failed()
		return model.User{}, errRefused()
	}
	attempt.Over()
	return user, nil
}

// matches does the same work whether or not there is such a user, and whether or not they may have a token.
func (t *Tokens) matches(ctx context.Context, name, password string) (model.User, bool, error) {
	user, err := t.Users.Get(ctx, name)
	if err != nil && problem.KindOf(err) != problem.NotFound {
		return model.User{}, false, err
	}
	right, err := t.Passwords.Matches(ctx, password, user.Hash)
	return user, right && !user.Disabled, err
}

func (t *Tokens) issue(user model.User) (string, time.Time, error) {
	now := t.Now()
	caller := auth.Caller{Subject: user.Name, Roles: user.Roles}
	expire := now.Add(lifetime)
	if caller.Has(auth.RoleEditor) {
		expire = now.Add(lifetimeEditor)
	}
	claims := auth.Claims{Roles: user.Roles, RegisteredClaims: jwt.RegisteredClaims{
		Issuer: t.Issuer, Audience: jwt.ClaimStrings{t.Audience}, Subject: user.Name,
		IssuedAt: jwt.NewNumericDate(now), NotBefore: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(expire),
	}}
	token, err := t.Signer.Sign(claims)
	return token, claims.ExpiresAt.Time, err
}

// Validate is whose token it is.
func (t *Tokens) Validate(ctx context.Context, token string) (auth.Token, error) {
	return t.Verifier.Verify(ctx, token)
}
