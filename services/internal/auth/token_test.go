package auth_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"movieexample.com/fleet/services/internal/auth"
	"movieexample.com/fleet/services/internal/problem"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var now = time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC)

// keys are those of a test: the private ones by id.
type keys map[string]ed25519.PrivateKey

func newKeys(t testing.TB, ids ...string) keys {
	t.Helper()
	k := keys{}
	for _, id := range ids {
		_, private, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		k[id] = private
	}
	return k
}

func (k keys) Key(_ context.Context, id string) (ed25519.PublicKey, error) {
	private, ok := k[id]
	if !ok {
		return nil, auth.ErrUnknownKey
	}
	return private.Public().(ed25519.PublicKey), nil
}

func claims(change func(*auth.Claims)) auth.Claims {
	c := auth.Claims{Roles: []string{"editor"}, RegisteredClaims: jwt.RegisteredClaims{
		Issuer: "fleet", Subject: "ann", Audience: jwt.ClaimStrings{"movies"},
		IssuedAt: jwt.NewNumericDate(now), NotBefore: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(15 * time.Minute)),
	}}
	if change != nil {
		change(&c)
	}
	return c
}

func sign(t testing.TB, method jwt.SigningMethod, key any, id any, c auth.Claims) string {
	t.Helper()
	token := jwt.NewWithClaims(method, c)
	if id != nil {
		token.Header["kid"] = id
	}
	text, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func (k keys) token(t testing.TB, change func(*auth.Claims)) string {
	return sign(t, jwt.SigningMethodEdDSA, k["a"], "a", claims(change))
}

// replaced puts other JSON in place of one part of a token: 0 is the header, 1 the claims.
func replaced(token string, part int, change func(map[string]any)) string {
	parts := strings.Split(token, ".")
	text, _ := base64.RawURLEncoding.DecodeString(parts[part])
	object := map[string]any{}
	_ = json.Unmarshal(text, &object)
	change(object)
	text, _ = json.Marshal(object)
	parts[part] = base64.RawURLEncoding.EncodeToString(text)
	return strings.Join(parts, ".")
}

func at(t time.Time) func() time.Time { return func() time.Time { return t } }

func expectation() auth.Expectation { return auth.Expectation{Issuer: "fleet", Audience: "movies"} }

func TestGoodToken(t *testing.T) {
	k := newKeys(t, "a", "b")
	want := auth.Token{Caller: auth.Caller{Subject: "ann", Roles: []string{"editor"}}, ExpireTime: now.Add(15 * time.Minute)}
	got, err := auth.NewVerifier(k, expectation(), at(now)).Verify(t.Context(), k.token(t, nil))
	if diff := cmp.Diff(want, got, cmp.Comparer(time.Time.Equal)); err != nil || diff != "" {
		t.Errorf("Verify = %v (-want +got):\n%s", err, diff)
	}
	many := k.token(t, func(c *auth.Claims) { c.Audience = jwt.ClaimStrings{"others", "movies"} })
	if _, err := auth.NewVerifier(k, expectation(), at(now)).Verify(t.Context(), many); err != nil {
		t.Errorf("Verify of a token for many = %v, want nil", err)
	}
}

// Clocks may lie half a minute apart, no more.
func TestClocks(t *testing.T) {
	k := newKeys(t, "a")
	token := k.token(t, nil)
	for name, tc := range map[string]struct {
		now  time.Time
		want string
	}{
		"ours is 29 s late":                {now.Add(-29 * time.Second), ""},
		"ours is 31 s late":                {now.Add(-31 * time.Second), "not valid yet"},
		"29 s after the end":               {now.Add(15*time.Minute + 29*time.Second), ""},
		"31 s after the end":               {now.Add(15*time.Minute + 31*time.Second), "expired"},
		"a clock that was never set":       {time.Unix(0, 0), "not valid yet"},
		"a clock that is a century ahead ": {now.AddDate(100, 0, 0), "expired"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := auth.NewVerifier(k, expectation(), at(tc.now)).Verify(t.Context(), token)
			if tc.want == "" && err != nil || tc.want != "" && (problem.KindOf(err) != problem.Unauthenticated || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("Verify = %v, want %q", err, tc.want)
			}
		})
	}
}

func TestTokensNotBefore(t *testing.T) {
	k := newKeys(t, "a")
	for cut, good := range map[time.Time]bool{now: true, now.Add(time.Second): false} {
		want := expectation()
		want.NotBefore = cut
		_, err := auth.NewVerifier(k, want, at(now.Add(time.Minute))).Verify(t.Context(), k.token(t, nil))
		if (err == nil) != good {
			t.Errorf("Verify of a token of %s with tokensNotBefore %s = %v, want good = %v", now, cut, err, good)
		}
	}
}

func TestBadTokens(t *testing.T) {
	k := newKeys(t, "a", "b")
	public, _ := k.Key(t.Context(), "a")
	stranger := newKeys(t, "a")["a"]
	large, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	good := k.token(t, nil)
	parts := strings.Split(good, ".")
	with := func(change func(*auth.Claims)) string { return k.token(t, change) }
	for name, tc := range map[string]struct{ token, want string }{
		"forged: a stranger's key":        {sign(t, jwt.SigningMethodEdDSA, stranger, "a", claims(nil)), "signature"},
		"forged: another key of ours":     {sign(t, jwt.SigningMethodEdDSA, k["b"], "a", claims(nil)), "signature"},
		"forged: other claims":            {replaced(good, 1, func(c map[string]any) { c["sub"] = "ben" }), "signature"},
		"forged: other header":            {replaced(good, 0, func(h map[string]any) { h["kid"] = "b" }), "signature"},
		"forged: a longer life":           {replaced(good, 1, func(c map[string]any) { c["exp"] = 9e9 }), "signature"},
		"alg none":                        {sign(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, "a", claims(nil)), "signature"},
		"alg none, by hand":               {replaced(parts[0]+"."+parts[1]+".", 0, func(h map[string]any) { h["alg"] = "none" }), "signature"},
		"alg NONE":                        {replaced(parts[0]+"."+parts[1]+".", 0, func(h map[string]any) { h["alg"] = "NONE" }), "cannot be read"},
		"HS256 with the public key":       {sign(t, jwt.SigningMethodHS256, []byte(public), "a", claims(nil)), "signature"},
		"HS512 with the public key":       {sign(t, jwt.SigningMethodHS512, []byte(public), "a", claims(nil)), "signature"},
		"RS256":                           {sign(t, jwt.SigningMethodRS256, large, "a", claims(nil)), "signature"},
		"no algorithm":                    {replaced(good, 0, func(h map[string]any) { delete(h, "alg") }), "cannot be read"},
		"unknown kid":                     {sign(t, jwt.SigningMethodEdDSA, k["a"], "z", claims(nil)), "not in use"},
		"no kid":                          {sign(t, jwt.SigningMethodEdDSA, k["a"], nil, claims(nil)), "not in use"},
		"kid is a number":                 {sign(t, jwt.SigningMethodEdDSA, k["a"], 7, claims(nil)), "not in use"},
		"expired":                         {with(func(c *auth.Claims) { c.ExpiresAt = jwt.NewNumericDate(now.Add(-time.Minute)) }), "expired"},
		"never expires":                   {with(func(c *auth.Claims) { c.ExpiresAt = nil }), "cannot be read"},
		"not valid yet":                   {with(func(c *auth.Claims) { c.NotBefore = jwt.NewNumericDate(now.Add(time.Minute)) }), "not valid yet"},
		"no begin":                        {with(func(c *auth.Claims) { c.NotBefore = nil }), "cannot be read"},
		"issued tomorrow":                 {with(func(c *auth.Claims) { c.IssuedAt = jwt.NewNumericDate(now.AddDate(0, 0, 1)) }), "not valid yet"},
		"issued nobody knows when":        {with(func(c *auth.Claims) { c.IssuedAt = nil }), "since when"},
		"another audience":                {with(func(c *auth.Claims) { c.Audience = jwt.ClaimStrings{"others"} }), "not meant"},
		"no audience":                     {with(func(c *auth.Claims) { c.Audience = nil }), "cannot be read"},
		"another issuer":                  {with(func(c *auth.Claims) { c.Issuer = "mallory" }), "not meant"},
		"no issuer":                       {with(func(c *auth.Claims) { c.Issuer = "" }), "cannot be read"},
		"nobody's":                        {with(func(c *auth.Claims) { c.Subject = "" }), "whose"},
		"oversized":                       {good + strings.Repeat("A", auth.MaxToken), "bytes"},
		"oversized, of dots":              {strings.Repeat(".", auth.MaxToken+1), "bytes"},
		"roles are a number":              {replaced(good, 1, func(c map[string]any) { c["roles"] = 1 }), "cannot be read"},
		"two parts":                       {parts[0] + "." + parts[1], "cannot be read"},
		"four parts":                      {good + ".AAAA", "cannot be read"},
		"no signature":                    {parts[0] + "." + parts[1] + ".", "signature"},
		"half a signature":                {good[:len(good)-40], "signature"},
		"padded":                          {good + "=", "characters"},
		"a line break":                    {good + "\n", "characters"},
		"not base64":                      {"a b.c.d", "characters"},
		"no JSON":                         {"AAAA.AAAA.AAAA", "cannot be read"},
		"empty parts":                     {"..", "cannot be read"},
		"loose bits in the signature":     {loosened(good), "cannot be read"},
		"nothing":                         {"", "cannot be read"},
		"words":                           {"hello", "cannot be read"},
		"a zero byte":                     {good + "\x00", "characters"},
		"claims that are not a JSON text": {parts[0] + ".bnVsbA." + parts[2], "signature"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := auth.NewVerifier(k, expectation(), at(now)).Verify(t.Context(), tc.token)
			if problem.KindOf(err) != problem.Unauthenticated || !strings.Contains(err.Error(), tc.want) || got.Subject != "" {
				t.Errorf("Verify = %v, %v, want Unauthenticated that says %q", got, err, tc.want)
			}
			if err != nil && len(tc.token) > 20 && strings.Contains(err.Error(), tc.token[:20]) {
				t.Errorf("Verify = %v, which holds the token", err)
			}
		})
	}
}

// loosened is the same signature written in another way: the last character of 86 has four bits that mean nothing.
func loosened(token string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, token[len(token)-1])
	return token[:len(token)-1] + string(alphabet[last^1])
}

func FuzzVerify(f *testing.F) {
	k := newKeys(f, "a")
	good := k.token(f, nil)
	parts := strings.Split(good, ".")
	for _, text := range []string{
		good, "", "..", parts[0] + "..", good + good, parts[1] + "." + parts[0] + "." + parts[2],
		replaced(good, 1, func(c map[string]any) { c["exp"] = 1e300 }), replaced(good, 0, func(h map[string]any) { h["crit"] = "x" }),
	} {
		f.Add(text)
	}
	v := auth.NewVerifier(k, expectation(), at(now))
	f.Fuzz(func(t *testing.T, text string) {
		got, err := v.Verify(t.Context(), text)
		if err == nil && text != good {
			t.Errorf("Verify(%q) = %v, want it refused: only one text has this signature", text, got)
		}
	})
}
