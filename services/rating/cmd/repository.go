package main

import (
	"errors"
	"time"

	"movieexample.com/fleet/services/internal/app"
	"movieexample.com/fleet/services/internal/config"
	"movieexample.com/fleet/services/internal/events/outbox"
	"movieexample.com/fleet/services/internal/lastknown"
	"movieexample.com/fleet/services/internal/storage"
	"movieexample.com/fleet/services/rating/internal/repository/layers"
	"movieexample.com/fleet/services/rating/internal/repository/memory"
	"movieexample.com/fleet/services/rating/internal/repository/mysql"
	"movieexample.com/fleet/services/rating/internal/repository/observed"
	"movieexample.com/fleet/services/rating/internal/tombstones"
)

// open is where ratings are kept, and the beginning of the service that has it. Readers have last known aggregates around
// the breaker around the database.
func open(env app.Env[settings]) (layers.Repository, app.Service, error) {
	if env.Config.Storage.Kind == config.Memory {
		store := memory.New()
		return observed.New(store, env.Traces, env.Metrics), app.Service{Workers: []app.Worker{purger(env, store)}}, nil
	}
	db, service, err := app.OpenDatabase(env, name, mysql.LowestSchema, true)
	if err != nil {
		return nil, app.Service{}, err
	}
	box, relay := outbox.Open(db, outbox.Options{
		Service: name, Events: env.Config.Events, Outbox: env.Config.Outbox, Metrics: env.Metrics, Log: env.Log, Traces: env.Traces,
	})
	store := mysql.NewTelling(db, box)
	service.Workers = []app.Worker{purger(env, store)}
	if relay != nil {
		service.Workers = append(service.Workers, app.Worker{Name: "outbox relay", Run: relay})
	}
	guarded := layers.Guard(observed.New(store, env.Traces, env.Metrics), storage.NewGuard(env.Breaker("database")))
	repository, err := layers.Remember(guarded, lastknown.Options{
		Dependency: "database", Metrics: lastknown.NewMetrics(env.Metrics), Log: env.Log, Now: time.Now,
	})
	if err != nil {
		return nil, app.Service{}, errors.Join(err, db.Close())
	}
	return repository, service, nil
}

func purger(env app.Env[settings], store tombstones.Repository) app.Worker {
	p := tombstones.New(store, tombstones.Options{
		Retention: env.Config.Tombstones.Retention, Now: time.Now, Metrics: env.Metrics, Log: env.Log,
	})
	return app.Worker{Name: "tombstones", Run: p.Run}
}
