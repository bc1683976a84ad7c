// Command rating serves what people think of records.
package main

import (
	"context"
	"errors"
	"os"
	"time"

	"google.golang.org/grpc"

	"movieexample.com/fleet/services/internal/app"
	"movieexample.com/fleet/services/internal/auth"
	"movieexample.com/fleet/services/internal/binding"
	"movieexample.com/fleet/services/internal/config"
	"movieexample.com/fleet/services/internal/events/outbox"
	"movieexample.com/fleet/services/internal/lastknown"
	"movieexample.com/fleet/services/internal/lifecycle"
	"movieexample.com/fleet/services/internal/rpc"
	"movieexample.com/fleet/services/internal/storage"
	ratingv1 "movieexample.com/fleet/services/proto/rating/v1"
	"movieexample.com/fleet/services/rating/internal/controller"
	"movieexample.com/fleet/services/rating/internal/handler"
	"movieexample.com/fleet/services/rating/internal/repository/layers"
	"movieexample.com/fleet/services/rating/internal/repository/memory"
	"movieexample.com/fleet/services/rating/internal/repository/mysql"
	"movieexample.com/fleet/services/rating/internal/repository/traced"
)

const name = "rating"

type settings struct {
	config.Common `config:",inline"`

	Storage     config.Storage `config:"storage"`
	Auth        config.Auth    `config:"auth"`
	Events      config.Events  `config:"events"`
	Outbox      config.Outbox  `config:"outbox"`
	RecordTypes []string       `config:"recordTypes" help:"kinds of records that may be rated"`
}

// Check refuses settings that do not go together.
func (s settings) Check(report config.Report) { config.CheckTold(s.Events, s.Storage, report) }

func main() {
	os.Exit(app.Main(app.Program[settings]{
		Name: name,
		Defaults: settings{
			Common:      config.Defaults(8082),
			Storage:     config.Storage{Kind: config.Memory},
			Auth:        config.DefaultAuth(),
			Events:      config.DefaultEvents(),
			Outbox:      config.DefaultOutbox(),
			RecordTypes: []string{"movie"},
		},
		Build:   build,
		Migrate: app.Migrations[settings](mysql.Migrations()),
		Schema:  app.Schema[settings](mysql.Migrations(), mysql.LowestSchema),
	}))
}

// policy says who may call what: means are for everybody, and a rating is its user's own.
func policy() auth.Policy {
	return auth.Policy{
		ratingv1.RatingService_GetAggregatedRating_FullMethodName:      auth.Public(),
		ratingv1.RatingService_BatchGetAggregatedRating_FullMethodName: auth.Public(),
		ratingv1.RatingService_PutRating_FullMethodName:                auth.OwnUser("user_id"),
		ratingv1.RatingService_DeleteRating_FullMethodName:             auth.OwnUser("user_id"),
	}
}

func build(_ context.Context, env app.Env[settings]) (app.Service, error) {
	if err := env.Authorize(env.Config.Auth, policy()); err != nil {
		return app.Service{}, err
	}
	if env.Config.Storage.Kind == config.Memory {
		return serve(env.Config, traced.New(memory.New(), env.Traces)), nil
	}
	dir, err := binding.Dir("mysql")
	if err != nil {
		return app.Service{}, err
	}
	db, err := storage.Open(dir, env.Log, storage.Traced(env.Traces))
	if err != nil {
		return app.Service{}, err
	}
	box, relay := outbox.Open(db, outbox.Options{
		Service: name, Events: env.Config.Events, Outbox: env.Config.Outbox, Metrics: env.Metrics, Log: env.Log, Traces: env.Traces,
	})
	repository, err := layers.Remember(layers.Guard(traced.New(mysql.NewTelling(db, box), env.Traces), storage.NewGuard(env.Breaker("database"))), lastknown.Options{
		Dependency: "database", Metrics: lastknown.NewMetrics(env.Metrics), Log: env.Log, Now: time.Now,
	})
	if err != nil {
		return app.Service{}, errors.Join(err, db.Close())
	}
	s := serve(env.Config, repository)
	s.Checks = []lifecycle.Check{{Name: "database", Run: storage.Ready(db, name, mysql.LowestSchema), Fallback: true}}
	if relay != nil {
		s.Workers = append(s.Workers, app.Worker{Name: "outbox relay", Run: relay})
	}
	s.Close = db.Close
	return s, nil
}

func serve(c settings, repository controller.Repository) app.Service {
	h := handler.New(controller.New(repository, c.RecordTypes, time.Now))
	return app.Service{
		RegisterGRPC: func(r grpc.ServiceRegistrar) { ratingv1.RegisterRatingServiceServer(r, h) },
		RegisterREST: []rpc.RegisterREST{ratingv1.RegisterRatingServiceHandler},
	}
}
