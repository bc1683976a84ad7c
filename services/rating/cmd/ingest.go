package main

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"movieexample.com/fleet/services/internal/app"
	"movieexample.com/fleet/services/internal/broker"
	"movieexample.com/fleet/services/internal/config"
	"movieexample.com/fleet/services/internal/lifecycle"
	"movieexample.com/fleet/services/rating/internal/ingest"
	"movieexample.com/fleet/services/rating/internal/repository/mysql"
)

// ingesting is how events of other systems come in.
type ingesting struct {
	Topic           string        `config:"topic" help:"topic of rating events; it must be there"`
	Group           string        `config:"group" help:"consumer group; each group has positions of its own in the database"`
	DeadLetterTopic string        `config:"deadLetterTopic" help:"topic of events that cannot be taken; it must be there"`
	Protocol        string        `config:"protocol" enum:"classic,consumer" help:"how the group shares out partitions; consumer (KIP-848) needs Kafka 4.3 or newer"`
	SessionTimeout  time.Duration `config:"sessionTimeout" help:"how long a consumer may be silent before others get its partitions; with protocol consumer the brokers decide"`
	BatchEvents     int           `config:"batchEvents" help:"most events of one transaction"`
	Shadow          bool          `config:"shadow" help:"only read along, from now on: no group is joined, and nothing is stored or sent"`
}

func defaultIngesting() ingesting {
	return ingesting{
		Topic: "ratings", Group: name, DeadLetterTopic: "ratings.dlq", Protocol: "classic", SessionTimeout: 10 * time.Second, BatchEvents: 5000,
	}
}

// Check refuses what no consumer can work with.
func (i ingesting) Check(report config.Report) {
	for path, topic := range map[string]string{"topic": i.Topic, "deadLetterTopic": i.DeadLetterTopic} {
		if problem := config.TopicProblem(topic); problem != "" {
			report(path, topic, problem)
		}
	}
	if i.Topic == i.DeadLetterTopic {
		report("deadLetterTopic", i.DeadLetterTopic, "is the topic of events too: bad events would come back for ever")
	}
	if i.Group == "" {
		report("group", i.Group, "is empty: name the group that shares the partitions")
	}
	if i.SessionTimeout < time.Second {
		report("sessionTimeout", i.SessionTimeout, "is below 1s: consumers would be taken for dead while they work")
	}
	if i.BatchEvents < 1 || i.BatchEvents > 100_000 {
		report("batchEvents", i.BatchEvents, "is not from 1 to 100000")
	}
}

// ingestCommand consumes until a signal. It may run beside the service on one machine: its ports are others.
func ingestCommand(defaults settings) app.Command[settings] {
	defaults.Admin.Port = 8095
	defaults.API.Port, defaults.REST.Port = 8085, 8185
	return app.Command[settings]{
		Use: "ingest", Short: "Bring rating events from Kafka into the database until SIGTERM or SIGINT", Args: cobra.NoArgs,
		Serve: buildIngest, Defaults: defaults,
	}
}

// withStore opens the database for a command that ends.
func withStore(env app.Env[settings], do func(*mysql.Repository) error) error {
	if env.Config.Storage.Kind == config.Memory {
		return errors.New("storage.kind is memory: its ratings and positions end with the process that has them; set it to mysql")
	}
	return app.WithDatabase(env, func(db *sql.DB) error { return do(mysql.New(db)) })
}

func buildIngest(_ context.Context, env app.Env[settings]) (app.Service, error) {
	c := env.Config.Ingest
	if env.Config.Storage.Kind == config.Memory && !c.Shadow {
		return app.Service{}, errors.New("storage.kind is memory: ratings would end with this process, and nobody could read them; set it to mysql")
	}
	if _, err := broker.FromBinding(); err != nil {
		return app.Service{}, err
	}
	service, store, err := storeOf(env)
	if err != nil {
		return app.Service{}, err
	}
	consumer := ingest.New(ingest.Options{
		Topic: c.Topic, Group: c.Group, DeadLetters: c.DeadLetterTopic, ClientID: env.Instance, Revision: env.Revision,
		NewProtocol: c.Protocol == "consumer", SessionTimeout: c.SessionTimeout, BatchEvents: c.BatchEvents, Shadow: c.Shadow,
		Read: broker.FromBinding, Store: store, Rules: env.Config.rules(), Fault: env.Fault, Now: time.Now,
		Metrics: env.Metrics, Log: env.Log, Traces: env.Traces,
	})
	service.Workers = []app.Worker{{Name: "consumer", Run: consumer.Run}}
	service.Checks = append(service.Checks, lifecycle.Check{Name: "group", Run: consumer.Ready, Fallback: true})
	return service, nil
}

// storeOf opens the database; a shadow has none.
func storeOf(env app.Env[settings]) (app.Service, ingest.Store, error) {
	if env.Config.Ingest.Shadow {
		return app.Service{}, nil, nil
	}
	db, service, err := app.OpenDatabase(env, name, mysql.LowestSchema, true)
	if err != nil {
		return app.Service{}, nil, err
	}
	return service, mysql.New(db), nil
}
