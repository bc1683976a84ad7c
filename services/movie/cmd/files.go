package main

import (
	"context"
	"fmt"
	"time"

	"movieexample.com/fleet/services/internal/app"
	"movieexample.com/fleet/services/internal/config"
	"movieexample.com/fleet/services/internal/lock"
	"movieexample.com/fleet/services/movie/internal/controller"
	"movieexample.com/fleet/services/movie/internal/files"
	"movieexample.com/fleet/services/movie/internal/processor"
)

// keeping says where and how files are kept.
type keeping struct {
	Path      string        `config:"path" help:"directory for uploaded files, on a volume that all instances share; empty takes no files"`
	MaxSize   config.Bytes  `config:"maxSize" help:"largest file"`
	KeepParts time.Duration `config:"keepParts" help:"how long an upload that broke can be taken up again"`
}

// Check refuses limits that nothing fits in.
func (k keeping) Check(report config.Report) {
	if k.MaxSize <= 0 {
		report("maxSize", k.MaxSize, "is not above 0")
	}
	if k.KeepParts <= 0 {
		report("keepParts", k.KeepParts, "is not above 0")
	}
}

// keep makes what there is of files: their rules, and a service with the processor in it. Without a path there are none.
func keep(env app.Env[settings]) (*controller.Files, app.Service, error) {
	k := env.Config.Files
	if k.Path == "" {
		return controller.NoFiles(), app.Service{}, nil
	}
	store, err := files.Open(k.Path, time.Now)
	if err != nil {
		return nil, app.Service{}, fmt.Errorf("%w: files.path: %w", config.ErrInvalid, err)
	}
	p := processor.New(store, k.KeepParts, env.Log, env.Metrics)
	keeper := lock.NewKeeper(env.Locks, processor.Lock, env.Log, env.Metrics)
	return controller.NewFiles(store, int64(k.MaxSize), env.Metrics), app.Service{
		Workers: []app.Worker{{Name: "processor", Run: func(ctx context.Context) error { return keeper.Run(ctx, p.Run) }}},
		Close:   store.Close,
	}, nil
}
