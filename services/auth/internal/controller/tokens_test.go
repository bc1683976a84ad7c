package controller_test

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"movieexample.com/fleet/services/auth/internal/attempts"
	"movieexample.com/fleet/services/auth/internal/controller"
	"movieexample.com/fleet/services/auth/internal/keys"
	"movieexample.com/fleet/services/auth/internal/model"
	"movieexample.com/fleet/services/auth/internal/password"
	"movieexample.com/fleet/services/auth/internal/repository/memory"
	"movieexample.com/fleet/services/internal/auth"
	"movieexample.com/fleet/services/internal/problem"
)

// fixture is a controller over real parts, of which a test may break the storage.
type fixture struct {
	*controller.Tokens

	admin   *controller.Admin
	storage *storage
}

type storage struct {
	*memory.Repository

	away error
	wait time.Duration
}

func (s *storage) Get(ctx context.Context, name string) (model.User, error) {
	if s.away != nil {
		return model.User{}, s.away
	}
	select {
	case <-time.After(s.wait):
		return s.Repository.Get(ctx, name)
	case <-ctx.Done():
		return model.User{}, ctx.Err()
	}
}

func newFixture(t *testing.T) fixture {
	t.Helper()
	ring, err := keys.NewEphemeral(slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	hasher := password.NewHasher(password.Params{Memory: 64, Time: 1, Threads: 1})
	users := &storage{Repository: memory.New()}
	f := fixture{storage: users, admin: controller.NewAdmin(users.Repository, hasher, []string{"editor", "viewer"}, time.Now)}
	f.Tokens = &controller.Tokens{
		Users: users, Passwords: hasher, Attempts: attempts.New(time.Now), Signer: ring, Now: time.Now, Issuer: "fleet", Audience: "movies",
		Verifier: auth.NewVerifier(ring, auth.Expectation{Issuer: "fleet", Audience: "movies"}, time.Now),
	}
	for name, roles := range map[string][]string{"ann": {"viewer", "editor", "editor"}, "ben": nil} {
		if err := f.admin.Add(t.Context(), name, name+"s password", roles); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

var here = netip.MustParsePrefix("192.0.2.1/32")

func (f fixture) login(t *testing.T, name, password string) error {
	t.Helper()
	_, _, err := f.Get(t.Context(), here, name, password)
	return err
}

func TestTokenSaysWhoAndHowLong(t *testing.T) {
	for name, want := range map[string]struct {
		roles    []string
		lifetime time.Duration
	}{
		"ann": {[]string{"editor", "viewer"}, 5 * time.Minute},
		"ben": {nil, 15 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t)
				token, expire, err := f.Get(t.Context(), here, name, name+"s password")
				if err != nil || time.Until(expire) != want.lifetime {
					t.Fatalf("Get = a token for %s, %v, want %s", time.Until(expire), err, want.lifetime)
				}
				got, err := f.Validate(t.Context(), token)
				if diff := cmp.Diff(auth.Caller{Subject: name, Roles: want.roles}, got.Caller); err != nil || diff != "" || !got.ExpireTime.Equal(expire) {
					t.Errorf("Validate = %v until %s (-want +got):\n%s", err, got.ExpireTime, diff)
				}
				time.Sleep(want.lifetime + auth.Skew + time.Second)
				if _, err := f.Validate(t.Context(), token); problem.KindOf(err) != problem.Unauthenticated {
					t.Errorf("Validate after the end = %v, want Unauthenticated", err)
				}
			})
		})
	}
}

// Whatever is wrong, the answer is the same.
func TestRefusalTellsNothing(t *testing.T) {
	f := newFixture(t)
	if err := f.admin.SetDisabled(t.Context(), "ann", true); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for name, password := range map[string]string{"ann": "anns password", "ben": "bens passwort", "cat": "bens password"} {
		err := f.login(t, name, password)
		if problem.KindOf(err) != problem.Unauthenticated {
			t.Errorf("Get(%s) = %v, want Unauthenticated", name, err)
			continue
		}
		seen[err.Error()] = true
	}
	if len(seen) != 1 {
		t.Errorf("answers = %v, want one for all", seen)
	}
	if err := f.admin.SetDisabled(t.Context(), "ann", false); err != nil || f.login(t, "ann", "anns password") != nil {
		t.Errorf("Get of a user who was enabled again = an error, want a token")
	}
}

// counting counts comparisons.
type counting struct {
	controller.Passwords

	mu    sync.Mutex
	calls int
}

func (c *counting) Matches(ctx context.Context, password, hash string) (bool, error) {
	c.mu.Lock()
	c.calls++
	c.mu.Unlock()
	return c.Passwords.Matches(ctx, password, hash)
}

// The work does not tell who is there: one comparison for a user, one for nobody, one for a disabled one.
func TestOneComparisonForEachAttempt(t *testing.T) {
	f := newFixture(t)
	work := &counting{Passwords: f.Passwords}
	f.Passwords = work
	if err := f.admin.SetDisabled(t.Context(), "ann", true); err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"ann", "ben", "cat"} {
		_ = f.login(t, name, "bens password")
		if work.calls != i+1 {
			t.Errorf("after Get(%s) %d comparisons, want %d", name, work.calls, i+1)
		}
	}
}

func TestFailuresAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		work := &counting{Passwords: f.Passwords}
		f.Passwords = work
		for range attempts.Most {
			_ = f.login(t, "ben", "wrong")
		}
		err := f.login(t, "ben", "bens password")
		limited, ok := errors.AsType[*problem.Error](err)
		if !ok || limited.Kind != problem.Exhausted || limited.RetryAfter != time.Minute {
			t.Errorf("Get after %d failures = %v, want Exhausted for a minute", attempts.Most, err)
		}
		if work.calls != attempts.Most {
			t.Errorf("%d comparisons, want %d: who is limited costs no work", work.calls, attempts.Most)
		}
		elsewhere := netip.MustParsePrefix("198.51.100.7/32")
		if _, _, err := f.Get(t.Context(), elsewhere, "ben", "bens password"); problem.KindOf(err) != problem.Exhausted {
			t.Errorf("Get of the same user from elsewhere = %v, want Exhausted", err)
		}
		if _, _, err := f.Get(t.Context(), elsewhere, "ann", "anns password"); err != nil {
			t.Errorf("Get of another user from elsewhere = %v, want a token", err)
		}
		time.Sleep(time.Minute)
		if err := f.login(t, "ben", "bens password"); err != nil {
			t.Errorf("Get after a minute = %v, want a token", err)
		}
	})
}

func TestStorageAwayIsNobodysFailure(t *testing.T) {
	f := newFixture(t)
	f.storage.away = problem.NewUnavailable(errors.New("refused"), "the database cannot be reached")
	for range 2 * attempts.Most {
		if err := f.login(t, "ben", "bens password"); problem.KindOf(err) != problem.Unavailable {
			t.Errorf("Get = %v, want Unavailable", err)
		}
	}
	f.storage.away = nil
	if err := f.login(t, "ben", "bens password"); err != nil {
		t.Errorf("Get when the storage is back = %v, want a token", err)
	}
}

func TestWhoWaitsTooLongIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.storage.wait = time.Hour
		began := time.Now()
		err := f.login(t, "ben", "bens password")
		if problem.KindOf(err) != problem.Unavailable || time.Since(began) > 5*time.Second {
			t.Errorf("Get = %v after %s, want Unavailable within 5 s", err, time.Since(began))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, _, err := f.Get(ctx, here, "ben", "bens password"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Get of a caller with a second = %v, want %v", err, context.DeadlineExceeded)
		}
		f.storage.wait = 0
		if err := f.login(t, "ben", "bens password"); err != nil {
			t.Errorf("Get afterwards = %v, want a token: waiting is no failure", err)
		}
	})
}

func TestAdminRefuses(t *testing.T) {
	f := newFixture(t)
	ctx := t.Context()
	for name, c := range map[string]struct {
		err  error
		kind problem.Kind
		want string
	}{
		"a short password":     {f.admin.Add(ctx, "cat", "sevenxx", nil), problem.Invalid, "password has 7 characters, want at least 8"},
		"a short new password": {f.admin.SetPassword(ctx, "ben", "üüüüüüü"), problem.Invalid, "password has 7 characters"},
		"an unknown role":      {f.admin.Add(ctx, "cat", "cats password", []string{"edtor"}), problem.Invalid, `role is "edtor", want one of: editor, viewer`},
		"an unknown new role":  {f.admin.SetRoles(ctx, "ben", []string{"viewer", "root"}), problem.Invalid, `role is "root"`},
		"a name that is taken": {f.admin.Add(ctx, "ben", "bens password", nil), problem.Invalid, "there already"},
		"nobody's password":    {f.admin.SetPassword(ctx, "cat", "cats password"), problem.NotFound, `"cat"`},
		"nobody's roles":       {f.admin.SetRoles(ctx, "cat", nil), problem.NotFound, `"cat"`},
		"nobody to disable":    {f.admin.SetDisabled(ctx, "cat", true), problem.NotFound, `"cat"`},
	} {
		if problem.KindOf(c.err) != c.kind || c.err == nil || !strings.Contains(c.err.Error(), c.want) {
			t.Errorf("%s: %v, want an error of kind %v that says %q", name, c.err, c.kind, c.want)
		}
	}
	if err := f.login(t, "ben", "bens password"); err != nil {
		t.Errorf("Get = %v, want a token: nothing was changed", err)
	}
}

func TestAdminChanges(t *testing.T) {
	f := newFixture(t)
	if err := errors.Join(f.admin.SetPassword(t.Context(), "ben", "another one"), f.admin.SetRoles(t.Context(), "ben", []string{"viewer"})); err != nil {
		t.Fatal(err)
	}
	if err := f.login(t, "ben", "bens password"); problem.KindOf(err) != problem.Unauthenticated {
		t.Errorf("Get with the old password = %v, want Unauthenticated", err)
	}
	token, _, err := f.Get(t.Context(), here, "ben", "another one")
	if err != nil {
		t.Fatal(err)
	}
	got, err := f.Validate(t.Context(), token)
	if diff := cmp.Diff([]string{"viewer"}, got.Roles); err != nil || diff != "" {
		t.Errorf("Validate = %v, roles (-want +got):\n%s", err, diff)
	}
}
