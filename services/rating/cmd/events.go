package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"movieexample.com/fleet/services/internal/app"
	"movieexample.com/fleet/services/internal/broker"
	"movieexample.com/fleet/services/rating/internal/replay"
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
