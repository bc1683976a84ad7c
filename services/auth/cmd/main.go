// Command auth turns names and passwords into tokens, and publishes the keys to check them with.
package main

import (
	"context"
	"os"
	"time"

	"google.golang.org/grpc"

	"movieexample.com/fleet/services/auth/internal/attempts"
	"movieexample.com/fleet/services/auth/internal/controller"
	"movieexample.com/fleet/services/auth/internal/handler"
	"movieexample.com/fleet/services/auth/internal/keys"
	"movieexample.com/fleet/services/auth/internal/password"
	"movieexample.com/fleet/services/auth/internal/repository/memory"
	"movieexample.com/fleet/services/auth/internal/repository/mysql"
	"movieexample.com/fleet/services/internal/app"
	"movieexample.com/fleet/services/internal/auth"
	"movieexample.com/fleet/services/internal/binding"
	"movieexample.com/fleet/services/internal/config"
	"movieexample.com/fleet/services/internal/lifecycle"
	"movieexample.com/fleet/services/internal/rpc"
	authv1 "movieexample.com/fleet/services/proto/auth/v1"
)

const name = "auth"

func main() {
	os.Exit(app.Main(app.Program[settings]{
		Name: name, Defaults: defaults(), Build: build, Commands: commands(),
		Migrate: app.Migrations[settings](mysql.Migrations()),
		Schema:  app.Schema[settings](mysql.Migrations(), mysql.LowestSchema),
	}))
}

func build(ctx context.Context, env app.Env[settings]) (app.Service, error) {
	ring, err := newRing(env)
	if err != nil {
		return app.Service{}, err
	}
	hasher := password.NewHasher(password.Recommended())
	users, s, err := newUsers(ctx, env, hasher)
	if err != nil {
		return app.Service{}, err
	}
	want := auth.Expectation{Issuer: env.Config.Tokens.Issuer, Audience: env.Config.Tokens.Audience}
	h := handler.New(&controller.Tokens{
		Users: users, Passwords: hasher, Attempts: attempts.New(time.Now), Signer: ring,
		Verifier: auth.NewVerifier(ring, want, time.Now), Now: time.Now, Issuer: want.Issuer, Audience: want.Audience,
	}, env.Config.Limits.Proxies())
	s.RegisterGRPC = func(r grpc.ServiceRegistrar) { authv1.RegisterAuthServiceServer(r, h) }
	s.RegisterREST = []rpc.RegisterREST{authv1.RegisterAuthServiceHandler, handler.PublishKeys(ring.Published)}
	s.Checks = append(s.Checks, lifecycle.Check{Name: "keys", Run: ring.Check})
	s.Workers = []app.Worker{{Name: "keys", Run: ring.Run}}
	return s, nil
}

func newRing(env app.Env[settings]) (*keys.Ring, error) {
	if env.Config.Keys.Kind == ephemeral {
		return keys.NewEphemeral(env.Log, env.Metrics)
	}
	dir, err := binding.Dir("auth-keys")
	if err != nil {
		return nil, err
	}
	return keys.NewRing(dir, env.Log, env.Metrics), nil
}

// newUsers is where users are kept, and what a service needs with it.
func newUsers(ctx context.Context, env app.Env[settings], hasher *password.Hasher) (controller.Users, app.Service, error) {
	if env.Config.Storage.Kind == config.Memory {
		users := memory.New()
		err := env.Config.FirstUser.add(ctx, controller.NewAdmin(users, hasher, env.Config.Roles, time.Now))
		return users, app.Service{}, err
	}
	db, service, err := app.OpenDatabase(env, name, mysql.LowestSchema, false)
	if err != nil {
		return nil, app.Service{}, err
	}
	return mysql.New(db), service, nil
}
