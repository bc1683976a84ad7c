package auth

import (
	"context"
	"crypto/ed25519"
	"errors"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Skew is how far the clocks of the fleet may lie apart.
const Skew = 30 * time.Second

// Claims are what a token says.
type Claims struct {
	jwt.RegisteredClaims

	Roles []string `json:"roles,omitempty"`
}

// KeyID is the token's header that names the key it is signed with.
const KeyID = "kid"

// Keys are the public keys that tokens may be signed with.
type Keys interface {
	// Key is the key with this id. ErrUnknownKey: it is not published. Any other error: nobody can tell now.
	Key(ctx context.Context, id string) (ed25519.PublicKey, error)
}

// ErrUnknownKey means that no published key has the id.
var ErrUnknownKey = errors.New("no published key has this id")

// Expectation is what a token must say.
type Expectation struct {
	Issuer   string
	Audience string
	// NotBefore refuses tokens issued earlier, exactly; the zero time refuses none.
	NotBefore time.Time
}

// Token is one that was found good.
type Token struct {
	Caller

	ExpireTime time.Time
}

// Verifier checks tokens. It is safe for concurrent use.
type Verifier struct {
	keys   Keys
	want   Expectation
	parser *jwt.Parser
}

// NewVerifier takes the clock, so that a test can turn it.
func NewVerifier(keys Keys, want Expectation, now func() time.Time) *Verifier {
	return &Verifier{keys: keys, want: want, parser: jwt.NewParser(
		// The key's type decides, never the token: neither none nor HS256 with the public key as the secret passes.
		jwt.WithValidMethods([]string{jwt.SigningMethodEdDSA.Alg()}),
		jwt.WithIssuer(want.Issuer),
		jwt.WithAudience(want.Audience),
		jwt.WithExpirationRequired(),
		jwt.WithNotBeforeRequired(),
		jwt.WithIssuedAt(),
		jwt.WithLeeway(Skew),
		jwt.WithTimeFunc(now),
		jwt.WithStrictDecoding(),
	)}
}

// Verify is what a good token says. The error says to the caller what is wrong: Unauthenticated, or Unavailable while the
// keys cannot be had. It never holds the token.
func (v *Verifier) Verify(ctx context.Context, token string) (Token, error) {
	if err := checkForm(token); err != nil {
		return Token{}, err
	}
	claims := Claims{}
	_, err := v.parser.ParseWithClaims(token, &claims, func(t *jwt.Token) (any, error) {
		id, ok := t.Header[KeyID].(string)
		if !ok {
			return nil, ErrUnknownKey
		}
		return v.keys.Key(ctx, id)
	})
	if err != nil {
		return Token{}, explain(err)
	}
	switch {
	case claims.Subject == "" || claims.IssuedAt == nil:
		return Token{}, refuse(reasonMalformed, nil, "the token does not say whose it is, or since when")
	case claims.IssuedAt.Before(v.want.NotBefore):
		return Token{}, refuse(reasonRevoked, nil, "the token was withdrawn: get a new one")
	}
	return Token{Caller: Caller{Subject: claims.Subject, Roles: claims.Roles}, ExpireTime: claims.ExpiresAt.Time}, nil
}

// explain gives the library's errors their reasons. The signature is checked first: what an unsigned token claims
// matters to nobody.
func explain(err error) error {
	own, ofKeys := errors.AsType[*refusal](err)
	switch {
	case ofKeys: // they cannot be had, and say so
		return own
	case errors.Is(err, ErrUnknownKey):
		return refuse(reasonKey, err, "the token is signed with a key that is not in use: get a new one")
	case errors.Is(err, jwt.ErrTokenSignatureInvalid):
		return refuse(reasonForged, err, "the token's signature is not valid")
	case errors.Is(err, jwt.ErrTokenExpired):
		return refuse(reasonExpired, err, "the token has expired: get a new one")
	case errors.Is(err, jwt.ErrTokenNotValidYet), errors.Is(err, jwt.ErrTokenUsedBeforeIssued):
		return refuse(reasonExpired, err, "the token is not valid yet: compare the clocks")
	case errors.Is(err, jwt.ErrTokenInvalidIssuer), errors.Is(err, jwt.ErrTokenInvalidAudience):
		return refuse(reasonAudience, err, "the token is not meant for this fleet")
	default:
		return refuse(reasonMalformed, err, "the token cannot be read")
	}
}
