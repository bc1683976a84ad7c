// Command rating serves what people think of records.
package main

import (
	"context"
	"os"
	"time"

	"google.golang.org/grpc"

	"movieexample.com/fleet/services/internal/app"
	"movieexample.com/fleet/services/internal/auth"
	"movieexample.com/fleet/services/internal/config"
	"movieexample.com/fleet/services/internal/rpc"
	ratingv1 "movieexample.com/fleet/services/proto/rating/v1"
	"movieexample.com/fleet/services/rating/internal/controller"
	"movieexample.com/fleet/services/rating/internal/handler"
	"movieexample.com/fleet/services/rating/internal/repository/mysql"
)

const name = "rating"

type settings struct {
	config.Common `config:",inline"`

	Storage     config.Storage `config:"storage"`
	Auth        config.Auth    `config:"auth"`
	Events      config.Events  `config:"events"`
	Outbox      config.Outbox  `config:"outbox"`
	RecordTypes []string       `config:"recordTypes" help:"kinds of records that may be rated"`
	Tombstones  tombstoned     `config:"tombstones"`
	Ingest      ingesting      `config:"ingest"`
}

type tombstoned struct {
	Retention time.Duration `config:"retention" help:"how long what was taken back is known as such; writes that are older are refused"`
}

// Check refuses a time that leaves out writes that are merely under way.
func (t tombstoned) Check(report config.Report) {
	if t.Retention < time.Hour {
		report("retention", t.Retention, "is below 1h: writes that come late would be refused")
	}
}

func (s settings) rules() controller.Rules {
	return controller.Rules{RecordTypes: s.RecordTypes, Retention: s.Tombstones.Retention}
}

// Check refuses settings that do not go together.
func (s settings) Check(report config.Report) { config.CheckTold(s.Events, s.Storage, report) }

func defaults() settings {
	return settings{
		Common:      config.Defaults(8082),
		Storage:     config.Storage{Kind: config.Memory},
		Auth:        config.DefaultAuth(),
		Events:      config.DefaultEvents(),
		Outbox:      config.DefaultOutbox(),
		RecordTypes: []string{"movie"},
		Tombstones:  tombstoned{Retention: controller.DefaultRetention},
		Ingest:      defaultIngesting(),
	}
}

func main() {
	os.Exit(app.Main(app.Program[settings]{
		Name:     name,
		Defaults: defaults(),
		Build:    build,
		Commands: append(commands(), ingestCommand(defaults()), replayCommand(), rewindCommand()),
		Migrate:  app.Migrations[settings](mysql.Migrations()),
		Schema:   app.Schema[settings](mysql.Migrations(), mysql.LowestSchema),
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
	repository, service, err := open(env)
	if err != nil {
		return app.Service{}, err
	}
	h := handler.New(controller.New(repository, env.Config.rules(), time.Now))
	service.RegisterGRPC = func(r grpc.ServiceRegistrar) { ratingv1.RegisterRatingServiceServer(r, h) }
	service.RegisterREST = []rpc.RegisterREST{ratingv1.RegisterRatingServiceHandler}
	return service, nil
}
