package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"movieexample.com/fleet/services/auth/internal/controller"
	"movieexample.com/fleet/services/auth/internal/password"
	"movieexample.com/fleet/services/auth/internal/repository/mysql"
	"movieexample.com/fleet/services/internal/app"
	"movieexample.com/fleet/services/internal/config"
	"movieexample.com/fleet/services/internal/validate"
	authv1 "movieexample.com/fleet/services/proto/auth/v1"
)

// commandLimit bounds a command: a person waits for it.
const commandLimit = 30 * time.Second

// commands look after users in the database of the binding mysql. A change acts at the next login.
func commands() []app.Command[settings] {
	return []app.Command[settings]{
		{
			Use: "user add NAME [ROLE…]", Short: "Add a user; the password is read from standard input", Args: cobra.MinimumNArgs(1),
			Run: withPassword(func(ctx context.Context, a *controller.Admin, args []string, password string) (string, error) {
				return "is added", a.Add(ctx, args[0], password, args[1:])
			}),
		},
		{
			Use: "user passwd NAME", Short: "Replace a user's password; it is read from standard input", Args: cobra.ExactArgs(1),
			Run: withPassword(func(ctx context.Context, a *controller.Admin, args []string, password string) (string, error) {
				return "has a new password", a.SetPassword(ctx, args[0], password)
			}),
		},
		{
			Use: "user role NAME [ROLE…]", Short: "Give a user these roles and no others", Args: cobra.MinimumNArgs(1),
			Run: withAdmin(func(ctx context.Context, a *controller.Admin, args []string) (string, error) {
				return fmt.Sprintf("has the roles %v", args[1:]), a.SetRoles(ctx, args[0], args[1:])
			}),
		},
		{
			Use: "user disable NAME", Short: "Give a user no more tokens; those that are out last 15 minutes at most", Args: cobra.ExactArgs(1),
			Run: withAdmin(func(ctx context.Context, a *controller.Admin, args []string) (string, error) {
				return "is disabled", a.SetDisabled(ctx, args[0], true)
			}),
		},
		{
			Use: "user enable NAME", Short: "Give a user who was disabled tokens again", Args: cobra.ExactArgs(1),
			Run: withAdmin(func(ctx context.Context, a *controller.Admin, args []string) (string, error) {
				return "is enabled", a.SetDisabled(ctx, args[0], false)
			}),
		},
	}
}

type action func(ctx context.Context, a *controller.Admin, args []string) (done string, err error)

func withPassword(run func(ctx context.Context, a *controller.Admin, args []string, password string) (string, error)) runner {
	return func(ctx context.Context, env app.Env[settings], args []string, streams app.Streams) error {
		text, err := readPassword(ctx, streams)
		if err != nil {
			return err
		}
		if err := couldLogIn(args[0], text); err != nil {
			return err
		}
		return withAdmin(func(ctx context.Context, a *controller.Admin, args []string) (string, error) {
			return run(ctx, a, args, text)
		})(ctx, env, args, streams)
	}
}

type runner = func(context.Context, app.Env[settings], []string, app.Streams) error

// withAdmin gives the action the users of the database, and says on standard output what it did.
func withAdmin(run action) runner {
	return func(ctx context.Context, env app.Env[settings], args []string, streams app.Streams) error {
		if env.Config.Storage.Kind == config.Memory {
			return errors.New("storage.kind is memory: such users end with the process that serves them; " +
				"set it to mysql, or name one in firstUser")
		}
		return app.WithDatabase(env, func(db *sql.DB) error {
			ctx, cancel := context.WithTimeout(ctx, commandLimit)
			defer cancel()
			hasher := password.NewHasher(password.Recommended())
			done, err := run(ctx, controller.NewAdmin(mysql.New(db), hasher, env.Config.Roles, time.Now), args)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(streams.Out, "User %s %s.\n", args[0], done)
			return err
		})
	}
}

// couldLogIn holds a name and a password to the rules of a login: a user who breaks them could never get a token.
func couldLogIn(name, password string) error {
	return validate.Message(&authv1.GetTokenRequest{Username: name, Password: password})
}
