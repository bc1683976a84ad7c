package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"movieexample.com/fleet/services/internal/app"
	"movieexample.com/fleet/services/internal/config"
	"movieexample.com/fleet/services/internal/events/outbox"
	"movieexample.com/fleet/services/internal/validate"
	ratingv1 "movieexample.com/fleet/services/proto/rating/v1"
	"movieexample.com/fleet/services/rating/internal/model"
	"movieexample.com/fleet/services/rating/internal/repository/mysql"
)

// commands show and remove what the database of the binding mysql knows of one user. The service may go on beside them.
func commands() []app.Command[settings] {
	var yes bool
	return []app.Command[settings]{
		{
			Use: "user export ID", Short: "Print all that is kept of a user, as one JSON object a line", Args: cobra.ExactArgs(1),
			Run: withUser(export),
		},
		{
			Use: "user erase ID", Short: "Remove all that is kept of a user; without --yes only say how much it is", Args: cobra.ExactArgs(1),
			Flags: func(f *pflag.FlagSet) { f.BoolVar(&yes, "yes", false, "do it: what is erased cannot be had back") },
			Run: withUser(func(ctx context.Context, r *mysql.Repository, user string, out io.Writer) error {
				return erase(ctx, r, user, yes, out)
			}),
		},
	}
}

type action func(ctx context.Context, r *mysql.Repository, user string, out io.Writer) error

func withUser(run action) func(context.Context, app.Env[settings], []string, app.Streams) error {
	return func(ctx context.Context, env app.Env[settings], args []string, streams app.Streams) error {
		// The rules of a user's id are those of requests; the record is any good one.
		if err := validate.Message(&ratingv1.DeleteRatingRequest{RecordType: "movie", RecordId: "any", UserId: args[0]}); err != nil {
			return err
		}
		if env.Config.Storage.Kind == config.Memory {
			return errors.New("storage.kind is memory: such ratings end with the process that serves them; set it to mysql")
		}
		return app.WithDatabase(env, func(db *sql.DB) error {
			repository := mysql.New(db)
			if env.Config.Events.Kind != config.None { // the service's own relay publishes what this process adds
				repository = mysql.NewTelling(db, outbox.New())
			}
			return run(ctx, repository, args[0], streams.Out)
		})
	}
}

func erase(ctx context.Context, r *mysql.Repository, user string, yes bool, out io.Writer) error {
	if !yes {
		known, err := r.Count(ctx, user)
		if err != nil {
			return err
		}
		return fmt.Errorf("nothing was changed: say --yes to erase %s", said(known))
	}
	erased, err := r.Erase(ctx, user, time.Now().UTC())
	if err != nil {
		return fmt.Errorf("%w; erased so far: %s; run it again", err, said(erased))
	}
	_, err = fmt.Fprintf(out, "Erased %s.\n", said(erased))
	return err
}

func said(k mysql.Known) string {
	return fmt.Sprintf("%d ratings, %d deletions and what %d events told", k.Ratings, k.Tombstones, k.Events)
}

// ratingLine and eventLine are what export prints.
type ratingLine struct {
	Kind       string    `json:"kind"`
	RecordType string    `json:"recordType"`
	RecordID   string    `json:"recordId"`
	UserID     string    `json:"userId"`
	Deleted    bool      `json:"deleted"`
	Value      int       `json:"value,omitempty"`
	OccurredAt time.Time `json:"occurredAt"`
	CreateTime time.Time `json:"createTime"`
	UpdateTime time.Time `json:"updateTime"`
}

type eventLine struct {
	Kind      string          `json:"kind"`
	ID        string          `json:"id"`
	Type      string          `json:"type"`
	Record    string          `json:"record"`
	Actor     string          `json:"actor,omitempty"`
	Before    json.RawMessage `json:"before,omitempty"`
	After     json.RawMessage `json:"after,omitempty"`
	Time      time.Time       `json:"time"`
	Published *time.Time      `json:"published,omitempty"`
}

func export(ctx context.Context, r *mysql.Repository, user string, out io.Writer) error {
	lines := json.NewEncoder(out)
	return r.Export(ctx, user, func(row model.Row) error {
		return lines.Encode(ratingLine{
			Kind: "rating", RecordType: row.Key.Record.Type, RecordID: row.Key.Record.ID, UserID: row.Key.UserID,
			Deleted: row.Deleted, Value: row.Value, OccurredAt: row.OccurredAt, CreateTime: row.CreateTime, UpdateTime: row.UpdateTime,
		})
	}, func(e outbox.Told) error {
		return lines.Encode(eventLine{
			Kind: "event", ID: e.ID, Type: e.Type, Record: e.Record, Actor: e.Actor, Before: e.Before, After: e.After,
			Time: e.Time, Published: e.Published,
		})
	})
}
