//go:build integration

package integration_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	authv1 "movieexample.com/fleet/services/proto/auth/v1"
	metadatav1 "movieexample.com/fleet/services/proto/metadata/v1"
	"movieexample.com/fleet/test/parts"
)

func TestWhoMayDoWhat(t *testing.T) {
	g := startGuarded(t)
	ann, ben := g.auth.mustLogin(t, "ann@example.com", annsPassword), g.auth.mustLogin(t, "ben", bensPassword)
	put := func(token string) error {
		ctx := t.Context()
		if token != "" {
			ctx = bearing(ctx, token)
		}
		_, err := metadatav1.NewMetadataServiceClient(g.metadata.conn).PutMetadata(ctx,
			&metadatav1.PutMetadataRequest{Metadata: &metadatav1.Metadata{Id: "tt1", Title: "The Movie 2"}})
		return err
	}
	wantCode(t, "PutMetadata by an editor", put(ann), codes.OK)
	wantCode(t, "PutMetadata by a user", put(ben), codes.PermissionDenied)
	wantCode(t, "PutMetadata by nobody", put(""), codes.Unauthenticated)
	wantCode(t, "PutRating of one's own", g.rating.rateAs(t.Context(), ben, "ben"), codes.OK)
	wantCode(t, "PutRating that names nobody", g.rating.rateAs(t.Context(), ben, ""), codes.OK)
	wantCode(t, "PutRating of another's, by an editor", g.rating.rateAs(t.Context(), ann, "ben"), codes.PermissionDenied)
	wantCode(t, "PutRating by nobody", g.rating.rateAs(t.Context(), "", "ben"), codes.Unauthenticated)
	g.rating.reads(t)

	// The same over REST: the header passes through.
	rest := func(token, method, path, body string, header ...string) answer {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, "http://"+g.rating.rest+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		for i := 0; i+1 < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		return answer{code: response.StatusCode, header: response.Header}
	}
	for name, c := range map[string]struct {
		got  answer
		want int
	}{
		"PUT of one's own":    {rest(ann, http.MethodPut, "/v1/ratings/movie/tt1", `{"value": 2}`), 200},
		"PUT of another's":    {rest(ann, http.MethodPut, "/v1/ratings/movie/tt1", `{"userId": "ben", "value": 2}`), 403},
		"PUT by nobody":       {rest("", http.MethodPut, "/v1/ratings/movie/tt1", `{"value": 2}`), 401},
		"PUT by forgery":      {rest("", http.MethodPut, "/v1/ratings/movie/tt1", `{"value": 2}`, "Grpc-Metadata-Authorization", "Bearer "+ann), 401},
		"DELETE of another's": {rest(ann, http.MethodDelete, "/v1/ratings/movie/tt1?userId=ben", ""), 403},
		"DELETE by nobody":    {rest("", http.MethodDelete, "/v1/ratings/movie/tt1?userId=ben", ""), 401},
		"GET by nobody":       {rest("", http.MethodGet, "/v1/ratings/movie/tt1", ""), 200},
	} {
		if c.got.code != c.want {
			t.Errorf("%s = %d, want %d", name, c.got.code, c.want)
		}
	}
	if got := rest(ann, http.MethodDelete, "/v1/ratings/movie/tt1", ""); got.code != http.StatusNoContent {
		t.Errorf("DELETE of one's own, naming nobody = %d, want 204", got.code)
	}
	g.rating.wantJSON(t, http.MethodGet, "/v1/ratings/movie/tt1", "", http.StatusOK, map[string]any{"ratingValue": 4.0, "count": "1", "stale": false})
	g.rating.wantProbe(t, "/metrics", http.StatusOK, `auth_refused_total{reason="user"}`)
	wantDiscreet(t, []string{ann, ben}, g.auth, g.rating, g.metadata)
}

func TestTokensOverREST(t *testing.T) {
	auth, _, _ := startAuth(t)
	got := auth.call(t, http.MethodPost, "/v1/token", fmt.Sprintf(`{"username": "ann@example.com", "password": %q}`, annsPassword))
	if got.code != http.StatusOK {
		t.Fatalf("POST /v1/token = %d %s, want 200", got.code, got.body)
	}
	token := fields(t, got.body)
	expire, err := time.Parse(time.RFC3339, fmt.Sprint(token["expireTime"]))
	if left := time.Until(expire); err != nil || left < 4*time.Minute || left > 5*time.Minute+time.Second {
		t.Errorf("an editor's token lives for %s, %v, want 5 minutes", left, err)
	}
	got = auth.call(t, http.MethodPost, "/v1/token:validate", fmt.Sprintf(`{"token": %q}`, token["token"]))
	want := map[string]any{"username": "ann@example.com", "roles": []any{"editor"}, "expireTime": token["expireTime"]}
	if diff := cmp.Diff(want, fields(t, got.body)); got.code != http.StatusOK || diff != "" {
		t.Errorf("POST /v1/token:validate = %d (-want +got):\n%s", got.code, diff)
	}
	auth.wantStatus(t, http.MethodPost, "/v1/token:validate", `{"token": "x"}`, http.StatusUnauthorized, codes.Unauthenticated)
	auth.wantStatus(t, http.MethodPost, "/v1/token", `{}`, http.StatusBadRequest, codes.InvalidArgument, "username", "password")
	long := auth.call(t, http.MethodPost, "/v1/token", fmt.Sprintf(`{"username": "ben", "password": %q}`, strings.Repeat("secret", 50)))
	if long.code != http.StatusBadRequest || strings.Contains(long.body, "secretsecret") {
		t.Errorf("POST /v1/token with a password of 300 bytes = %d %s, want 400 without the password", long.code, long.body)
	}
	if keys := auth.call(t, http.MethodGet, "/.well-known/jwks.json", ""); keys.code != http.StatusOK || !strings.Contains(keys.body, `"kid":"first"`) {
		t.Errorf("GET /.well-known/jwks.json = %d %s, want the key", keys.code, keys.body)
	}
}

func TestUserCommands(t *testing.T) {
	auth, binding, _ := startAuth(t)
	login := func(password string, want codes.Code) {
		t.Helper()
		_, err := auth.login(t.Context(), "ben", password)
		wantCode(t, "GetToken", err, want)
	}
	login(bensPassword, codes.OK)
	mustCommand(t, binding, "another-password\n", "user", "passwd", "ben")
	login(bensPassword, codes.Unauthenticated)
	login("another-password", codes.OK)
	mustCommand(t, binding, "", "user", "disable", "ben")
	login("another-password", codes.Unauthenticated)
	mustCommand(t, binding, "", "user", "enable", "ben")
	mustCommand(t, binding, "", "user", "role", "ben", "editor")
	token := auth.mustLogin(t, "ben", "another-password")
	got, err := authv1.NewAuthServiceClient(auth.conn).ValidateToken(t.Context(), &authv1.ValidateTokenRequest{Token: token})
	if diff := cmp.Diff([]string{"editor"}, got.GetRoles()); err != nil || diff != "" {
		t.Errorf("ValidateToken = %v, roles (-want +got):\n%s", err, diff)
	}
	for name, c := range map[string]struct {
		stdin string
		args  []string
		want  string
	}{
		"a name that is taken": {annsPassword, []string{"user", "add", "ben"}, "there already"},
		"a name that is none":  {annsPassword, []string{"user", "add", "b n"}, "username"},
		"an unknown role":      {annsPassword, []string{"user", "add", "cat", "edtor"}, `role is "edtor", want one of: editor`},
		"a short password":     {"short\n", []string{"user", "add", "cat"}, "want at least 8"},
		"no password":          {"", []string{"user", "passwd", "ben"}, "password is empty"},
		"an unknown user":      {annsPassword, []string{"user", "passwd", "cat"}, `there is no user "cat"`},
		"nobody":               {"", []string{"user", "disable"}, "accepts 1 arg"},
	} {
		if out, err := command(t, binding, c.stdin, c.args...); err == nil || !strings.Contains(out, c.want) || strings.Contains(out, annsPassword) {
			t.Errorf("auth with %s = %v: %s, want a failure that says %q", name, err, out, c.want)
		}
	}
}

// Five wrong passwords, then nobody from there gets in for a minute, and is told so, over gRPC and REST.
func TestGuessing(t *testing.T) {
	auth, _, _ := startAuth(t)
	seen := map[string]bool{}
	for i := range 5 {
		user := []string{"ann@example.com", "nobody"}[i%2] // who is there, and who is not
		_, err := auth.login(t.Context(), user, "wrong-password")
		wantCode(t, "GetToken with a wrong password", err, codes.Unauthenticated)
		seen[status.Convert(err).Message()] = true
	}
	if len(seen) != 1 {
		t.Errorf("answers = %v, want one for users and for others", seen)
	}
	_, err := auth.login(t.Context(), "ben", bensPassword)
	wantCode(t, "GetToken after five failures", err, codes.ResourceExhausted)
	var info *errdetails.RetryInfo
	for _, detail := range status.Convert(err).Details() {
		info, _ = detail.(*errdetails.RetryInfo)
	}
	if wait := info.GetRetryDelay().AsDuration(); wait <= 0 || wait > time.Minute {
		t.Errorf("RetryInfo = %v, want up to a minute", info)
	}
	auth.wantStatus(t, http.MethodPost, "/v1/token", fmt.Sprintf(`{"username": "ben", "password": %q}`, bensPassword),
		http.StatusTooManyRequests, codes.ResourceExhausted)
	wantDiscreet(t, []string{"wrong-password"}, auth)
}

func TestAuthsDatabaseIsAway(t *testing.T) {
	auth, _, _ := startAuth(t)
	token := auth.mustLogin(t, "ben", bensPassword)
	stopServer(t)
	for range 6 { // more than the failures that a user may have: these are none
		_, err := auth.login(t.Context(), "ben", bensPassword)
		wantCode(t, "GetToken", err, codes.Unavailable)
	}
	_, err := authv1.NewAuthServiceClient(auth.conn).ValidateToken(t.Context(), &authv1.ValidateTokenRequest{Token: token})
	wantCode(t, "ValidateToken", err, codes.OK)
	if keys := auth.call(t, http.MethodGet, "/.well-known/jwks.json", ""); keys.code != http.StatusOK {
		t.Errorf("GET /.well-known/jwks.json = %d, want 200", keys.code)
	}
	auth.wantProbe(t, "/readyz", http.StatusServiceUnavailable, "the database cannot be reached")
	startServer(t)
	auth.wantReady(t)
	auth.mustLogin(t, "ben", bensPassword)
}

// Keys that were fetched are believed while auth is away; before the first fetch writes fail and reads go on.
func TestKeysAreAway(t *testing.T) {
	g := startGuarded(t)
	token := g.auth.mustLogin(t, "ben", bensPassword)
	wantCode(t, "PutRating", g.rating.rateAs(t.Context(), token, ""), codes.OK)
	signal := func(s syscall.Signal) {
		if err := g.auth.cmd.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
	}
	signal(syscall.SIGSTOP) // it takes connections and says nothing, which is worse than a refusal
	t.Cleanup(func() { signal(syscall.SIGCONT) })
	wantCode(t, "PutRating while auth is away", g.rating.rateAs(t.Context(), token, ""), codes.OK)

	late := serve(t, "rating", jwtSettings(g.auth, ""), "")
	late.wantReady(t)
	wantCode(t, "PutRating before the first keys", late.rateAs(t.Context(), token, ""), codes.Unavailable)
	late.reads(t)
	signal(syscall.SIGCONT)
	eventually(t, func() error { return late.rateAs(t.Context(), token, "") })
}

// New tokens are signed by the new key and old ones stay good, while calls go on.
func TestKeyRotationUnderLoad(t *testing.T) {
	g := startGuarded(t)
	old := g.auth.mustLogin(t, "ben", bensPassword)
	// Else the first call might ask for them, and the next key is asked for five seconds later at the soonest.
	g.rating.wantProbe(t, "/metrics", http.StatusOK, `auth_key_fetches_total{result="done"} 1`)
	ctx, stop := context.WithCancel(t.Context())
	var group sync.WaitGroup
	t.Cleanup(func() { stop(); group.Wait() })
	var calls atomic.Int64
	var current atomic.Value
	current.Store(old)
	group.Go(func() {
		for ctx.Err() == nil {
			token, err := g.auth.login(context.WithoutCancel(ctx), "ben", bensPassword)
			if err != nil {
				t.Errorf("GetToken = %v, want a token", err)
				return
			}
			current.Store(token)
		}
	})
	for range 4 {
		group.Go(func() {
			for ctx.Err() == nil {
				for _, token := range []string{old, current.Load().(string)} {
					if err := g.rating.rateAs(context.WithoutCancel(ctx), token, ""); err != nil {
						t.Errorf("PutRating = %v, want nil", err)
						return
					}
					calls.Add(1)
				}
			}
		})
	}
	rotate := func(id string) {
		g.keys.add(t, id)
		g.keys.signWith(t, id)
		before := calls.Load()
		eventually(t, func() error {
			if got := keyOf(t, current.Load().(string)); got != id {
				return fmt.Errorf("tokens are signed with %s, want %s", got, id)
			}
			if calls.Load() < before+100 {
				return fmt.Errorf("%d calls since the rotation, want 100", calls.Load()-before)
			}
			return nil
		})
	}
	rotate("second")
	time.Sleep(6 * time.Second) // unknown keys are asked for once in five seconds; nobody rotates more often
	rotate("third")
	stop()
	group.Wait()

	g.keys.remove(t, "first")
	eventually(t, func() error {
		_, err := authv1.NewAuthServiceClient(g.auth.conn).ValidateToken(t.Context(), &authv1.ValidateTokenRequest{Token: old})
		if status.Code(err) != codes.Unauthenticated {
			return fmt.Errorf("ValidateToken of a key that was taken back = %w, want UNAUTHENTICATED", err)
		}
		return nil
	})
	parts.WriteBinding(t, g.keys.dir, map[string]string{"signing": "nobodys"})
	eventually(t, func() error {
		if !strings.Contains(g.auth.log.String(), "those loaded before stay in use") {
			return fmt.Errorf("log = %s, want that the keys are wrong", &g.auth.log)
		}
		return nil
	})
	g.auth.mustLogin(t, "ben", bensPassword)
	wantDiscreet(t, []string{old}, g.auth, g.rating)
}

func keyOf(t *testing.T, token string) string {
	t.Helper()
	parsed, _, err := jwt.NewParser().ParseUnverified(token, jwt.MapClaims{})
	if err != nil {
		t.Error(err)
		return ""
	}
	return fmt.Sprint(parsed.Header["kid"])
}

func TestMissingKeys(t *testing.T) {
	binding := migrated(t, "auth")
	auth := serve(t, "auth", mysqlStorage+"keys: {kind: binding}\n", binding)
	auth.wantProbe(t, "/readyz", http.StatusServiceUnavailable, "auth-keys")
	auth.wantStatus(t, http.MethodGet, "/.well-known/jwks.json", "", http.StatusServiceUnavailable, codes.Unavailable)
	newSigningKeys(t, binding, "late")
	auth.wantReady(t)
}
