package main

import (
	"context"
	"time"

	"movieexample.com/fleet/services/internal/app"
	"movieexample.com/fleet/services/internal/broker"
	"movieexample.com/fleet/services/internal/config"
	"movieexample.com/fleet/services/internal/events/kafka"
	"movieexample.com/fleet/services/movie/internal/changes"
)

// follow keeps what is remembered up to date, where services tell of changes.
func follow(env app.Env[settings], follower *changes.Follower) []app.Worker {
	if env.Config.Events.Kind == config.None {
		return nil
	}
	subscriber := kafka.NewSubscriber(broker.FromBinding, "movie", env.Config.Events.Topic, time.Now(),
		kafka.Options{Metrics: env.Metrics, Log: env.Log, Traces: env.Traces})
	return []app.Worker{{Name: "events", Run: func(ctx context.Context) error { return subscriber.Subscribe(ctx, follower.Handle) }}}
}
