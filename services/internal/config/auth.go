package config

import (
	"net/url"
	"time"
)

// JWT is a value of Auth.Kind; the other is None.
const JWT = "jwt"

// Auth says whether a service asks for tokens, and which it takes.
type Auth struct {
	Kind            string `config:"kind" enum:"none,jwt" help:"none lets everybody do everything; jwt asks for a token where it matters"`
	JWKS            string `config:"jwks" help:"URL of the keys that auth publishes, http or https"`
	Identity        string `config:"identity" help:"identity of auth, spiffe://…, that must answer there, with https and tls.mode; empty wants a certificate of the URL's host"`
	Issuer          string `config:"issuer" help:"who must have issued a token"`
	Audience        string `config:"audience" help:"whom a token must be meant for"`
	TokensNotBefore string `config:"tokensNotBefore" help:"refuse tokens issued before this time, such as 2026-01-31T12:00:00Z; empty refuses none"`
}

// Issuer and audience of a fleet that nobody gave others.
const (
	DefaultIssuer   = "movie-fleet"
	DefaultAudience = "movie-fleet"
)

// DefaultAuth asks for no tokens, and otherwise expects those of an auth service on this machine.
func DefaultAuth() Auth {
	return Auth{Kind: None, JWKS: "http://127.0.0.1:8184/.well-known/jwks.json", Issuer: DefaultIssuer, Audience: DefaultAudience}
}

// NotBefore is the zero time if there is none; Check has found it good.
func (a Auth) NotBefore() time.Time {
	t, err := time.Parse(time.RFC3339, a.TokensNotBefore)
	if err != nil {
		return time.Time{}
	}
	return t
}

// Check refuses what would let nobody in, or everybody.
func (a Auth) Check(report Report) {
	if a.Kind != JWT {
		return
	}
	u, err := url.Parse(a.JWKS)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		report("jwks", a.JWKS, "is not a URL of the form http://host:port/.well-known/jwks.json")
	}
	if a.Identity != "" {
		if problem := identityProblem(a.Identity); problem != "" {
			report("identity", a.Identity, problem)
		}
		if u != nil && u.Scheme != "https" {
			report("identity", a.Identity, "needs a jwks that is https")
		}
	}
	for path, value := range map[string]string{"issuer": a.Issuer, "audience": a.Audience} {
		if value == "" {
			report(path, value, "is empty: tokens of any other fleet would do")
		}
	}
	if _, err := time.Parse(time.RFC3339, a.TokensNotBefore); a.TokensNotBefore != "" && err != nil {
		report("tokensNotBefore", a.TokensNotBefore, "is not a time of the form 2026-01-31T12:00:00Z")
	}
}
