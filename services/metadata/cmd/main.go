// Command metadata serves what is known about movies.
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
	"movieexample.com/fleet/services/metadata/internal/controller"
	"movieexample.com/fleet/services/metadata/internal/handler"
	"movieexample.com/fleet/services/metadata/internal/repository/mysql"
	metadatav1 "movieexample.com/fleet/services/proto/metadata/v1"
)

const name = "metadata"

type settings struct {
	config.Common `config:",inline"`

	Storage config.Storage `config:"storage"`
	Auth    config.Auth    `config:"auth"`
	Cache   cacheSettings  `config:"cache"`
	Events  config.Events  `config:"events"`
	Outbox  config.Outbox  `config:"outbox"`
}

// Check refuses settings that do not go together.
func (s settings) Check(report config.Report) { config.CheckTold(s.Events, s.Storage, report) }

func main() {
	os.Exit(app.Main(app.Program[settings]{
		Name: name,
		Defaults: settings{
			Common:  config.Defaults(8081),
			Storage: config.Storage{Kind: config.Memory},
			Auth:    config.DefaultAuth(),
			Cache:   defaultCache(),
			Events:  config.DefaultEvents(),
			Outbox:  config.DefaultOutbox(),
		},
		Build:   build,
		Migrate: app.Migrations[settings](mysql.Migrations()),
		Schema:  app.Schema[settings](mysql.Migrations(), mysql.LowestSchema),
	}))
}

// policy says who may call what: what is known about movies is for everybody, and for editors to change.
func policy() auth.Policy {
	return auth.Policy{
		metadatav1.MetadataService_GetMetadata_FullMethodName:      auth.Public(),
		metadatav1.MetadataService_BatchGetMetadata_FullMethodName: auth.Public(),
		metadatav1.MetadataService_ListMetadata_FullMethodName:     auth.Public(),
		metadatav1.MetadataService_PutMetadata_FullMethodName:      auth.Role(auth.RoleEditor),
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
	h := handler.New(controller.New(repository, time.Now))
	service.RegisterGRPC = func(r grpc.ServiceRegistrar) { metadatav1.RegisterMetadataServiceServer(r, h) }
	service.RegisterREST = []rpc.RegisterREST{metadatav1.RegisterMetadataServiceHandler}
	return service, nil
}
