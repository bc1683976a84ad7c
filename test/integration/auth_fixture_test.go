//go:build integration

package integration_test

import (
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	authv1 "movieexample.com/fleet/services/proto/auth/v1"
	ratingv1 "movieexample.com/fleet/services/proto/rating/v1"
	"movieexample.com/fleet/test/parts"
)

const (
	annsPassword = "correct-horse-battery"
	bensPassword = "staple-of-the-other"
)

// guarded is auth on a database of its own with two users, ann, an editor, and ben, and two services that ask for tokens.
type guarded struct {
	auth, metadata, rating *program

	binding string // of auth's database
	keys    signingKeys
}

// signingKeys is auth's binding auth-keys.
type signingKeys struct {
	dir     string
	private map[string]ed25519.PrivateKey
}

func newSigningKeys(t *testing.T, binding string, ids ...string) signingKeys {
	t.Helper()
	k := signingKeys{dir: filepath.Join(filepath.Dir(binding), "auth-keys"), private: map[string]ed25519.PrivateKey{}}
	parts.WriteBinding(t, k.dir, map[string]string{"type": "auth-keys"})
	for _, id := range ids {
		k.add(t, id)
	}
	k.signWith(t, ids[0])
	return k
}

func (k signingKeys) add(t *testing.T, id string) {
	t.Helper()
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	k.private[id] = private
	parts.WriteBinding(t, k.dir, map[string]string{id + ".pem": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))})
}

func (k signingKeys) signWith(t *testing.T, id string) {
	t.Helper()
	parts.WriteBinding(t, k.dir, map[string]string{"signing": id})
}

func (k signingKeys) remove(t *testing.T, id string) {
	t.Helper()
	if err := os.Remove(filepath.Join(k.dir, id+".pem")); err != nil {
		t.Fatal(err)
	}
}

// command runs `auth …` in the environment of its pod, with text on standard input.
func command(t *testing.T, binding, stdin string, args ...string) (out string, err error) {
	t.Helper()
	cmd := exec.Command(filepath.Join(programs, "auth"), args...)
	cmd.Env = []string{"AUTH_STORAGE_KIND=mysql", "SERVICE_BINDING_ROOT=" + filepath.Dir(binding)}
	cmd.Stdin = strings.NewReader(stdin)
	text, err := cmd.CombinedOutput()
	return string(text), err
}

func mustCommand(t *testing.T, binding, stdin string, args ...string) {
	t.Helper()
	if out, err := command(t, binding, stdin, args...); err != nil {
		t.Fatalf("auth %s = %v: %s", strings.Join(args, " "), err, out)
	}
}

func startAuth(t *testing.T) (auth *program, binding string, keys signingKeys) {
	t.Helper()
	binding = migrated(t, "auth")
	keys = newSigningKeys(t, binding, "first")
	mustCommand(t, binding, annsPassword+"\n", "user", "add", "ann@example.com", "editor")
	mustCommand(t, binding, bensPassword, "user", "add", "ben")
	auth = serve(t, "auth", mysqlStorage+"keys: {kind: binding}\n", binding)
	auth.wantReady(t)
	return auth, binding, keys
}

func jwtSettings(auth *program, more string) string {
	return fmt.Sprintf("auth: {kind: jwt, jwks: 'http://%s/.well-known/jwks.json'%s}\n", auth.rest, more)
}

func startGuarded(t *testing.T) guarded {
	t.Helper()
	g := guarded{}
	g.auth, g.binding, g.keys = startAuth(t)
	g.metadata = serve(t, "metadata", jwtSettings(g.auth, ""), "")
	g.rating = serve(t, "rating", jwtSettings(g.auth, ""), "")
	g.metadata.wantReady(t)
	g.rating.wantReady(t)
	return g
}

func (p *program) login(ctx context.Context, user, password string) (string, error) {
	got, err := authv1.NewAuthServiceClient(p.conn).GetToken(ctx, &authv1.GetTokenRequest{Username: user, Password: password})
	return got.GetToken(), err
}

func (p *program) mustLogin(t *testing.T, user, password string) string {
	t.Helper()
	token, err := p.login(t.Context(), user, password)
	if err != nil {
		t.Fatalf("GetToken = %v, want a token", err)
	}
	return token
}

func bearing(ctx context.Context, token string) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
}

func (p *program) rateAs(ctx context.Context, token, user string) error {
	if token != "" {
		ctx = bearing(ctx, token)
	}
	_, err := ratingv1.NewRatingServiceClient(p.conn).PutRating(ctx, &ratingv1.PutRatingRequest{
		RecordType: "movie", RecordId: "tt1", UserId: user, Value: 4,
	})
	return err
}

func (p *program) reads(t *testing.T) {
	t.Helper()
	_, err := ratingv1.NewRatingServiceClient(p.conn).GetAggregatedRating(t.Context(),
		&ratingv1.GetAggregatedRatingRequest{RecordType: "movie", RecordId: "none"})
	if status.Code(err) != codes.NotFound {
		t.Errorf("GetAggregatedRating without a token = %v, want NOT_FOUND: reads are public", err)
	}
}

func wantCode(t *testing.T, what string, err error, want codes.Code) {
	t.Helper()
	if status.Code(err) != want {
		t.Errorf("%s = %v, want %s", what, err, want)
	}
}

// wantDiscreet wants no secret and no name in any log.
func wantDiscreet(t *testing.T, secrets []string, all ...*program) {
	t.Helper()
	for _, p := range all {
		for _, secret := range append(secrets, annsPassword, bensPassword, "ann@example.com", "PRIVATE KEY") {
			if strings.Contains(p.log.String(), secret) {
				t.Errorf("the log of %s holds %q", p.name, secret)
			}
		}
	}
}
