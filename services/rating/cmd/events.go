package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/twmb/franz-go/pkg/kadm"

	"movieexample.com/fleet/services/internal/app"
	"movieexample.com/fleet/services/internal/broker"
	"movieexample.com/fleet/services/rating/internal/replay"
	"movieexample.com/fleet/services/rating/internal/repository/mysql"
	"movieexample.com/fleet/services/rating/internal/rewind"
)

// replayCommand sends dead letters back.
func replayCommand() app.Command[settings] {
	var causes []string
	var since, until string
	var yes bool
	return app.Command[settings]{
		Use: "replay", Short: "Send dead letters back to their topic; without --yes only say how many", Args: cobra.NoArgs,
		Flags: func(f *pflag.FlagSet) {
			f.StringSliceVar(&causes, "cause", nil, "only these causes, such as panic")
			f.StringVar(&since, "since", "", "only what became a dead letter at this time or later, such as 2026-11-21T10:00:00Z")
			f.StringVar(&until, "until", "", "only what became a dead letter before this time")
			f.BoolVar(&yes, "yes", false, "do it: what is still bad becomes a dead letter once more")
		},
		Run: func(ctx context.Context, env app.Env[settings], _ []string, streams app.Streams) error {
			from, sinceErr := moment("since", since)
			to, untilErr := moment("until", until)
			filter := replay.Filter{Causes: causes, Since: from, Until: to}
			if err := errors.Join(sinceErr, untilErr, filter.Check()); err != nil {
				return err
			}
			counts, err := replay.Run(ctx, broker.FromBinding, env.Config.Ingest.DeadLetterTopic, filter, !yes)
			return tellReplayed(counts, err, yes, streams.Out)
		},
	}
}

// moment is zero for no text.
func moment(flag, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, fmt.Errorf("--%s %q is no time: write it as 2026-11-21T10:00:00Z", flag, text)
	}
	return at, nil
}

func tellReplayed(c replay.Counts, err error, yes bool, out io.Writer) error {
	rest := fmt.Sprintf("kept %d", c.Kept)
	if c.Empty > 0 {
		rest += fmt.Sprintf(", and %d without their events' value, which their source may have", c.Empty)
	}
	if c.Other > 0 {
		rest += fmt.Sprintf(", and %d records that are no dead letters", c.Other)
	}
	switch {
	case err != nil && yes:
		return fmt.Errorf("%w; sent so far %d: run it again, what is sent twice takes effect once", err, c.Sent)
	case err != nil:
		return err
	case !yes && c.Sent > 0:
		return fmt.Errorf("nothing was sent: say --yes to send %d dead letters back; %s", c.Sent, rest)
	}
	_, err = fmt.Fprintf(out, "sent %d, %s\n", c.Sent, rest)
	return err
}

// rewindCommand moves where consumers begin.
func rewindCommand() app.Command[settings] {
	var to string
	var partitions []int32
	var consumed, yes bool
	return app.Command[settings]{
		Use: "rewind", Short: "Move where consumers begin; without --yes only say what would change", Args: cobra.NoArgs,
		Flags: func(f *pflag.FlagSet) {
			f.StringVar(&to, "to", "", "earliest, latest, a time such as 2026-11-21T10:00:00Z, or an offset")
			f.Int32SliceVar(&partitions, "partition", nil, "only these partitions")
			f.BoolVar(&consumed, "while-consumed", false, "also while consumers work: they give up what is under way and go on from there")
			f.BoolVar(&yes, "yes", false, "do it")
		},
		Run: func(ctx context.Context, env app.Env[settings], _ []string, streams app.Streams) error {
			target, err := rewind.ParseTarget(to)
			if err != nil {
				return err
			}
			client, err := broker.NewClient(broker.FromBinding, "rating-rewind")
			if err != nil {
				return err
			}
			defer client.Close()
			return withStore(env, func(store *mysql.Repository) error {
				r := &rewind.Rewinder{Admin: kadm.NewClient(client), Store: store, Group: env.Config.Ingest.Group, Topic: env.Config.Ingest.Topic}
				return moveTo(ctx, r, target, partitions, consumed, yes, streams.Out)
			})
		},
	}
}

func moveTo(
	ctx context.Context, r *rewind.Rewinder, to rewind.Target, partitions []int32, consumed, yes bool, out io.Writer,
) error {
	steps, err := r.Plan(ctx, to, partitions)
	if err != nil {
		return err
	}
	for _, s := range steps {
		from := fmt.Sprint(s.From)
		if s.New {
			from = "not begun"
		}
		_, _ = fmt.Fprintf(out, "partition %d: %s → %d\n", s.Source.Partition, from, s.To) // what cannot be told is done all the same
	}
	members, err := r.Members(ctx)
	switch {
	case err != nil:
		return err
	case len(members) > 0 && !consumed:
		return fmt.Errorf("nothing was changed: %d consumers are at work (%s); stop them, or say --while-consumed",
			len(members), strings.Join(members, ", "))
	case !yes:
		return errors.New("nothing was changed: say --yes to do it")
	}
	if err := r.Do(ctx, steps); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "moved %d partitions of group %s\n", len(steps), r.Group)
	return err
}
