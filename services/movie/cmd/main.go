// Command movie puts together what a visitor sees of a movie: its metadata and its rating.
package main

import (
	"context"
	"errors"
	"os"
	"time"

	"google.golang.org/grpc"

	"movieexample.com/fleet/services/internal/app"
	"movieexample.com/fleet/services/internal/auth"
	"movieexample.com/fleet/services/internal/config"
	"movieexample.com/fleet/services/internal/lastknown"
	"movieexample.com/fleet/services/internal/rpc"
	"movieexample.com/fleet/services/movie/internal/changes"
	"movieexample.com/fleet/services/movie/internal/controller"
	"movieexample.com/fleet/services/movie/internal/gateway"
	"movieexample.com/fleet/services/movie/internal/handler"
	"movieexample.com/fleet/services/movie/internal/model"
	moviev1 "movieexample.com/fleet/services/proto/movie/v1"
)

const (
	callTimeout = 2 * time.Second
	// Details can do without a rating. So nobody waits long for one: a rating service that answers nothing is noticed
	// within two such waits.
	ratingTimeout = 500 * time.Millisecond
	// movie is the caller nearest the user, so that it alone repeats calls.
	attempts = 3
)

type settings struct {
	config.Common `config:",inline"`

	Upstreams upstreams     `config:"upstreams"`
	Files     keeping       `config:"files"`
	Auth      config.Auth   `config:"auth"`
	Events    config.Events `config:"events"`
	Flags     config.Flags  `config:"flags"`
}

// Check refuses settings that do not go together.
func (s settings) Check(report config.Report) { config.CheckFlags(s.Flags, s.Discovery, report) }

type upstreams struct {
	Metadata config.Upstream `config:"metadata"`
	Rating   config.Upstream `config:"rating"`
}

func main() {
	common := config.Defaults(8083)
	common.Calls.Attempts = attempts
	os.Exit(app.Main(app.Program[settings]{
		Name: "movie",
		Defaults: settings{
			Common: common,
			Upstreams: upstreams{
				Metadata: config.Upstream{Target: "static:///127.0.0.1:8081", Timeout: callTimeout},
				Rating:   config.Upstream{Target: "static:///127.0.0.1:8082", Timeout: ratingTimeout},
			},
			Files:  keeping{MaxSize: 4 << 30, KeepParts: 24 * time.Hour},
			Auth:   config.DefaultAuth(),
			Events: config.DefaultEvents(),
		},
		Build: build,
	}))
}

// policy says who may call what: to look is for everybody, and to add files for editors.
func policy() auth.Policy {
	return auth.Policy{
		moviev1.MovieService_GetMovieDetails_FullMethodName:      auth.Public(),
		moviev1.MovieService_BatchGetMovieDetails_FullMethodName: auth.Public(),
		moviev1.MovieService_UploadFile_FullMethodName:           auth.Role(auth.RoleEditor),
		moviev1.MovieService_GetUpload_FullMethodName:            auth.Public(),
		moviev1.MovieService_GetFile_FullMethodName:              auth.Public(),
	}
}

// build adds no readiness check: both dependencies have a fallback.
func build(_ context.Context, env app.Env[settings]) (app.Service, error) {
	if err := env.Authorize(env.Config.Auth, policy()); err != nil {
		return app.Service{}, err
	}
	metadataConn, metadataErr := env.Dial("metadata", env.Config.Upstreams.Metadata)
	ratingConn, ratingErr := env.Dial("rating", env.Config.Upstreams.Rating)
	if err := errors.Join(metadataErr, ratingErr); err != nil {
		return app.Service{}, err
	}
	fallbacks := lastknown.NewMetrics(env.Metrics)
	of := func(dependency string) lastknown.Options {
		return lastknown.Options{Dependency: dependency, Metrics: fallbacks, Log: env.Log, Now: time.Now}
	}
	metadata, metadataErr := gateway.Remember(gateway.NewMetadata(metadataConn), model.Metadata.MarkStale, of("metadata"))
	rating, ratingErr := gateway.Remember(gateway.NewRating(ratingConn), model.Rating.MarkStale, of("rating"))
	if err := errors.Join(metadataErr, ratingErr); err != nil {
		return app.Service{}, err
	}
	titles := gateway.NewTitles(metadataConn, env.Breaker(recommendations), lastknown.NewNotes(of(recommendations)))
	recommended, err := recommend(env, titles)
	if err != nil {
		return app.Service{}, err
	}
	files, service, err := keep(env)
	if err != nil {
		return app.Service{}, err
	}
	h := handler.New(controller.New(metadata, rating, recommended), files)
	service.RegisterGRPC = func(r grpc.ServiceRegistrar) { moviev1.RegisterMovieServiceServer(r, h) }
	service.RegisterREST = []rpc.RegisterREST{moviev1.RegisterMovieServiceHandler}
	service.Workers = append(service.Workers, follow(env, changes.New(metadata, rating))...)
	return service, nil
}
