package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"movieexample.com/fleet/services/auth/internal/controller"
	"movieexample.com/fleet/services/internal/auth"
	"movieexample.com/fleet/services/internal/config"
)

// ephemeral is a value of keys.kind; the other is binding.
const ephemeral = "ephemeral"

type settings struct {
	config.Common `config:",inline"`

	Storage config.Storage `config:"storage"`
	Keys    signing        `config:"keys"`
	Tokens  tokens         `config:"tokens"`
	// Roles are checked when a user gets them, so that a misspelt one is no silent refusal later.
	Roles     []string  `config:"roles" help:"roles that users may have"`
	FirstUser firstUser `config:"firstUser"`
}

type signing struct {
	Kind string `config:"kind" enum:"ephemeral,binding" binding:"auth-keys,binding" help:"keys that sign tokens; ephemeral ends with the process, binding is the binding auth-keys"`
}

type tokens struct {
	Issuer   string `config:"issuer" help:"who issues the tokens, as services expect it in auth.issuer"`
	Audience string `config:"audience" help:"whom the tokens are meant for, as services expect it in auth.audience"`
}

// firstUser is somebody to try the service with: what is kept in memory cannot be filled by a command.
type firstUser struct {
	Name         string   `config:"name" help:"with storage.kind memory, a user who is there from the start; empty is nobody"`
	PasswordFile string   `config:"passwordFile" help:"file with the first user's password"`
	Roles        []string `config:"roles" help:"roles of the first user"`
}

func defaults() settings {
	return settings{
		Common:  config.Defaults(8084),
		Storage: config.Storage{Kind: config.Memory},
		Keys:    signing{Kind: ephemeral},
		Tokens:  tokens{Issuer: config.DefaultIssuer, Audience: config.DefaultAudience},
		Roles:   []string{auth.RoleEditor},
	}
}

// Check refuses what could not work, or would let in too many.
func (s settings) Check(report config.Report) {
	if s.FirstUser.Name != "" && s.Storage.Kind != config.Memory {
		report("firstUser.name", s.FirstUser.Name, "needs storage.kind memory; in a database, make users by `auth user add`")
	}
	if s.FirstUser.Name != "" && s.FirstUser.PasswordFile == "" {
		report("firstUser.passwordFile", s.FirstUser.PasswordFile, "is empty: nobody has a password that was not chosen")
	}
	for path, value := range map[string]string{"tokens.issuer": s.Tokens.Issuer, "tokens.audience": s.Tokens.Audience} {
		if value == "" {
			report(path, value, "is empty: tokens would do for any other fleet")
		}
	}
	for _, role := range s.Roles {
		if strings.ContainsAny(role, ", ") {
			report("roles", role, "holds a comma or a space")
		}
	}
}

func (f firstUser) add(ctx context.Context, admin *controller.Admin) error {
	if f.Name == "" {
		return nil
	}
	file, err := os.Open(f.PasswordFile)
	if err != nil {
		return fmt.Errorf("firstUser.passwordFile: %w", err)
	}
	defer func() { _ = file.Close() }()
	password, err := firstLine(file)
	if err != nil {
		return fmt.Errorf("firstUser.passwordFile: %w", err)
	}
	if err := couldLogIn(f.Name, password); err != nil {
		return fmt.Errorf("firstUser: %w", err)
	}
	if err := admin.Add(ctx, f.Name, password, f.Roles); err != nil {
		return fmt.Errorf("firstUser: %w", err)
	}
	return nil
}
