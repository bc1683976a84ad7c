package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"movieexample.com/fleet/services/auth/internal/controller"
	"movieexample.com/fleet/services/auth/internal/password"
	"movieexample.com/fleet/services/auth/internal/repository/memory"
	"movieexample.com/fleet/services/internal/config"
)

func TestSettings(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*settings)
		want   string
	}{
		"defaults":                      {func(*settings) {}, ""},
		"first user in a database":      {func(s *settings) { s.FirstUser, s.Storage.Kind = firstUser{Name: "x", PasswordFile: "f"}, "mysql" }, "firstUser.name"},
		"first user with no password":   {func(s *settings) { s.FirstUser.Name = "x" }, "firstUser.passwordFile"},
		"no issuer":                     {func(s *settings) { s.Tokens.Issuer = "" }, "tokens.issuer"},
		"no audience":                   {func(s *settings) { s.Tokens.Audience = "" }, "tokens.audience"},
		"a role with a comma":           {func(s *settings) { s.Roles = []string{"a,b"} }, "roles"},
		"first user, all that it takes": {func(s *settings) { s.FirstUser = firstUser{Name: "x", PasswordFile: "f"} }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := defaults()
			c.change(&s)
			var got []string
			s.Check(func(path string, _ any, _ string) { got = append(got, path) })
			if strings.Join(got, " ") != c.want {
				t.Errorf("Check() = mistakes in %v, want %q", got, c.want)
			}
		})
	}
}

func TestFirstUser(t *testing.T) {
	file := filepath.Join(t.TempDir(), "password")
	hasher := password.NewHasher(password.Params{Memory: 64, Time: 1, Threads: 1})
	for name, c := range map[string]struct {
		user firstUser
		text string
		want string
	}{
		"nobody":          {firstUser{}, "", ""},
		"somebody":        {firstUser{Name: "me", PasswordFile: file, Roles: []string{"editor"}}, "long enough\r\nmore\n", ""},
		"no file":         {firstUser{Name: "me", PasswordFile: file + "x"}, "", "firstUser.passwordFile: open"},
		"an empty file":   {firstUser{Name: "me", PasswordFile: file}, "", "firstUser: password is empty"},
		"a short one":     {firstUser{Name: "me", PasswordFile: file}, "short", "want at least 8"},
		"a name of sorts": {firstUser{Name: "m e", PasswordFile: file}, "long enough", "username"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			users := memory.New()
			err := c.user.add(t.Context(), controller.NewAdmin(users, hasher, []string{"editor"}, time.Now))
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Fatalf("add() = %v, want %q", err, c.want)
			}
			if name != "somebody" {
				return
			}
			u, err := users.Get(t.Context(), "me")
			if err != nil {
				t.Fatal(err)
			}
			if right, err := hasher.Matches(t.Context(), "long enough", u.Hash); err != nil || !right {
				t.Errorf("the first line is the password: %v, %v, want true", right, err)
			}
		})
	}
}

func TestDefaultsFitTheServices(t *testing.T) {
	issuer, services := defaults(), config.DefaultAuth()
	if issuer.Tokens.Issuer != services.Issuer || issuer.Tokens.Audience != services.Audience {
		t.Errorf("tokens of %v, services expect %s and %s", issuer.Tokens, services.Issuer, services.Audience)
	}
}
