package main

import (
	"errors"
	"fmt"
	"time"

	"movieexample.com/fleet/services/internal/app"
	"movieexample.com/fleet/services/internal/binding"
	"movieexample.com/fleet/services/internal/cache"
	"movieexample.com/fleet/services/internal/cache/shared"
	"movieexample.com/fleet/services/internal/config"
	"movieexample.com/fleet/services/internal/events/outbox"
	"movieexample.com/fleet/services/internal/lastknown"
	"movieexample.com/fleet/services/internal/storage"
	"movieexample.com/fleet/services/metadata/internal/model"
	"movieexample.com/fleet/services/metadata/internal/repository/layers"
	"movieexample.com/fleet/services/metadata/internal/repository/memory"
	"movieexample.com/fleet/services/metadata/internal/repository/mysql"
	"movieexample.com/fleet/services/metadata/internal/repository/observed"
)

const (
	missingTTL = time.Second // a movie that is put is seen by all within it
	sharedTTL  = 10 * time.Minute
)

type cacheSettings struct {
	Size   int           `config:"size" help:"records kept in the process; 0 keeps none"`
	TTL    time.Duration `config:"ttl" help:"how long a record is kept in the process, and the longest time for which instances may show different ones"`
	Shared string        `config:"shared" enum:"none,redis" help:"cache that all instances share; redis needs the binding redis"`
	Prefix string        `config:"prefix" help:"beginning of the keys in the shared cache: applications that share a Redis need different ones"`
}

func defaultCache() cacheSettings {
	return cacheSettings{Size: 10_000, TTL: 5 * time.Second, Shared: config.None, Prefix: "fleet"}
}

// Check refuses sizes and times that cannot be.
func (c cacheSettings) Check(report config.Report) {
	if c.Size < 0 {
		report("size", c.Size, "is below 0")
	}
	if c.TTL <= 0 {
		report("ttl", c.TTL, "is not above 0: size 0 turns the cache off")
	}
}

// open is where metadata is kept, and the beginning of the service that has it.
func open(env app.Env[settings]) (layers.Repository, app.Service, error) {
	if env.Config.Storage.Kind == config.Memory {
		return observed.New(memory.New(), env.Traces), app.Service{}, nil
	}
	db, service, err := app.OpenDatabase(env, name, mysql.LowestSchema, true)
	if err != nil {
		return nil, app.Service{}, err
	}
	box, relay := outbox.Open(db, outbox.Options{
		Service: name, Events: env.Config.Events, Outbox: env.Config.Outbox, Metrics: env.Metrics, Log: env.Log, Traces: env.Traces,
	})
	if relay != nil {
		service.Workers = []app.Worker{{Name: "outbox relay", Run: relay}}
	}
	repository, end, err := layered(observed.New(mysql.NewTelling(db, box), env.Traces), env)
	if err != nil {
		return nil, app.Service{}, errors.Join(err, end(), db.Close())
	}
	service.Close = func() error { return errors.Join(end(), db.Close()) }
	return repository, service, nil
}

// layered puts around the database what keeps readers well: last known records around the caches around the breaker. What
// it returns besides ends what it began, also if it fails.
func layered(db layers.Repository, env app.Env[settings]) (layers.Repository, func() error, error) {
	var r layers.Repository = layers.Guard(db, storage.NewGuard(env.Breaker("database")))
	end := func() error { return nil }
	c, metrics := env.Config.Cache, cache.NewMetrics(env.Metrics)
	if c.Shared != config.None {
		dir, err := binding.Dir("redis")
		if err != nil {
			return nil, end, err
		}
		client := shared.Open(dir, env.Log)
		end = client.Close
		r = layers.Share(r, shared.New[model.Metadata](client, shared.Options{
			Name: "shared", Prefix: fmt.Sprintf("%s:metadata:%d:", c.Prefix, model.Form), TTL: sharedTTL,
			Breaker: env.Breaker("redis"), Metrics: metrics, Log: env.Log,
		}))
	}
	if c.Size > 0 {
		process, err := cache.New(cache.Options[model.Metadata]{
			Name: "process", Size: c.Size, TTL: c.TTL, Missing: missingTTL, NotFound: model.NotFound, Metrics: metrics, Now: time.Now,
		})
		if err != nil {
			return nil, end, err
		}
		r = layers.Cache(r, process)
	}
	r, err := layers.Remember(r, lastknown.Options{
		Dependency: "database", Metrics: lastknown.NewMetrics(env.Metrics), Log: env.Log, Now: time.Now,
	})
	return r, end, err
}
