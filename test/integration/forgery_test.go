//go:build integration

package integration_test

import (
	"crypto/ed25519"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	authv1 "movieexample.com/fleet/services/proto/auth/v1"
)

// forge makes what auth would not.
func (k signingKeys) forge(t *testing.T, method jwt.SigningMethod, key any, change func(jwt.MapClaims, map[string]any)) string {
	t.Helper()
	now := time.Now()
	claims := jwt.MapClaims{
		"iss": "movie-fleet", "aud": "movie-fleet", "sub": "ben", "roles": []string{"editor"},
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(time.Minute).Unix(),
	}
	token := jwt.NewWithClaims(method, claims)
	token.Header["kid"] = "first"
	change(claims, token.Header)
	text, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestForgedTokens(t *testing.T) {
	g := startGuarded(t)
	strict := serve(t, "rating", jwtSettings(g.auth, ", tokensNotBefore: '"+time.Now().Add(time.Hour).UTC().Format(time.RFC3339)+"'"), "")
	strict.wantReady(t)
	private := g.keys.private["first"]
	public := []byte(private.Public().(ed25519.PublicKey))
	_, stranger, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	same := func(jwt.MapClaims, map[string]any) {}
	claim := func(name string, value any) string {
		return g.keys.forge(t, jwt.SigningMethodEdDSA, private, func(c jwt.MapClaims, _ map[string]any) { c[name] = value })
	}
	after := func(d time.Duration) int64 { return time.Now().Add(d).Unix() }
	for name, c := range map[string]struct {
		to    *program
		token string
		want  codes.Code
	}{
		"good":                       {g.rating, g.keys.forge(t, jwt.SigningMethodEdDSA, private, same), codes.OK},
		"a clock 20 s behind auth's": {g.rating, claim("nbf", after(20*time.Second)), codes.OK},
		"expired, within the skew":   {g.rating, claim("exp", after(-20*time.Second)), codes.OK},
		"a clock 2 min behind":       {g.rating, claim("nbf", after(2*time.Minute)), codes.Unauthenticated},
		"issued in the future":       {g.rating, claim("iat", after(2*time.Minute)), codes.Unauthenticated},
		"expired":                    {g.rating, claim("exp", after(-2*time.Minute)), codes.Unauthenticated},
		"before tokensNotBefore":     {strict, g.keys.forge(t, jwt.SigningMethodEdDSA, private, same), codes.Unauthenticated},
		"wrong audience":             {g.rating, claim("aud", "another-fleet"), codes.Unauthenticated},
		"wrong issuer":               {g.rating, claim("iss", "mallory"), codes.Unauthenticated},
		"forged":                     {g.rating, g.keys.forge(t, jwt.SigningMethodEdDSA, stranger, same), codes.Unauthenticated},
		"alg none":                   {g.rating, g.keys.forge(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, same), codes.Unauthenticated},
		"HS256 with the public key":  {g.rating, g.keys.forge(t, jwt.SigningMethodHS256, public, same), codes.Unauthenticated},
		"unknown kid": {g.rating, g.keys.forge(t, jwt.SigningMethodEdDSA, private, func(_ jwt.MapClaims, h map[string]any) { h["kid"] = "nobodys" }),
			codes.Unauthenticated},
		"oversized": {g.rating, claim("padding", strings.Repeat("x", 5000)), codes.Unauthenticated},
	} {
		t.Run(name, func(t *testing.T) {
			wantCode(t, "PutRating", c.to.rateAs(t.Context(), c.token, "ben"), c.want)
			if c.to == g.rating {
				_, err := authv1.NewAuthServiceClient(g.auth.conn).ValidateToken(t.Context(), &authv1.ValidateTokenRequest{Token: c.token})
				if got := status.Code(err); got != c.want && got != codes.InvalidArgument {
					t.Errorf("ValidateToken = %v, want %s as the services say", err, c.want)
				}
			}
		})
	}
	strict.reads(t)
}
