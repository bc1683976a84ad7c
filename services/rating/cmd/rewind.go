package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/twmb/franz-go/pkg/kadm"

	"movieexample.com/fleet/services/internal/app"
	"movieexample.com/fleet/services/internal/broker"
	"movieexample.com/fleet/services/rating/internal/repository/mysql"
	"movieexample.com/fleet/services/rating/internal/rewind"
)

// rewinding is what was asked for.
type rewinding struct {
	to, revision, since string
	partitions          []int32
	consumed, yes       bool
	ifBegun             bool
	report              string
}

// rewindCommand moves where consumers begin.
func rewindCommand() app.Command[settings] {
	var asked rewinding
	return app.Command[settings]{
		Use: "rewind", Short: "Move where consumers begin; without --yes only say what would change", Args: cobra.NoArgs,
		Flags: func(f *pflag.FlagSet) {
			f.StringVar(&asked.to, "to", "", "earliest, latest, a time such as 2026-11-21T10:00:00Z, or an offset")
			f.StringVar(&asked.revision, "revision", "", "in place of --to: back to where consumers of this revision began, and only the partitions that they had")
			f.StringVar(&asked.since, "since", "", "with --revision: as it was tried from this time on, such as 2026-11-21T10:00:00Z, and not before")
			f.BoolVar(&asked.ifBegun, "if-begun", false, "with --revision: it is no mistake if nothing is known of what it has read")
			f.Int32SliceVar(&asked.partitions, "partition", nil, "only these partitions")
			f.BoolVar(&asked.consumed, "while-consumed", false, "also while consumers work: they give up what is under way and go on from there")
			f.BoolVar(&asked.yes, "yes", false, "do it")
			f.StringVar(&asked.report, "report", "", "file for a sentence that says what was done, such as /dev/termination-log")
		},
		Run: func(ctx context.Context, env app.Env[settings], _ []string, streams app.Streams) error {
			plan, err := asked.plan()
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
				return asked.do(ctx, r, plan, streams.Out)
			})
		},
	}
}

type planner func(ctx context.Context, r *rewind.Rewinder) ([]rewind.Step, error)

// plan reads where to go.
func (a *rewinding) plan() (planner, error) {
	since, err := moment("since", a.since)
	switch {
	case err != nil:
		return nil, err
	case a.revision != "" && a.to != "":
		return nil, errors.New("--to and --revision say two things: use one of them")
	case a.revision == "" && a.since != "":
		return nil, errors.New("--since goes with --revision: to go to a time, use --to")
	case a.revision != "":
		return func(ctx context.Context, r *rewind.Rewinder) ([]rewind.Step, error) {
			return r.PlanTrial(ctx, rewind.Trial{Revision: a.revision, Since: since}, a.partitions)
		}, nil
	}
	target, err := rewind.ParseTarget(a.to)
	return func(ctx context.Context, r *rewind.Rewinder) ([]rewind.Step, error) {
		return r.Plan(ctx, target, a.partitions)
	}, err
}

func (a *rewinding) do(ctx context.Context, r *rewind.Rewinder, plan planner, out io.Writer) error {
	steps, err := plan(ctx, r)
	if a.ifBegun && errors.Is(err, rewind.ErrUnknown) {
		_, _ = fmt.Fprintln(out, err)
		a.tellReport(err.Error(), out)
		return nil
	}
	if err != nil {
		return err
	}
	tell(steps, out)
	members, err := r.Members(ctx)
	switch {
	case err != nil:
		return err
	case len(members) > 0 && !a.consumed:
		return fmt.Errorf("nothing was changed: %d consumers are at work (%s); stop them, or say --while-consumed",
			len(members), strings.Join(members, ", "))
	case !a.yes:
		return errors.New("nothing was changed: say --yes to do it")
	}
	if err := r.Do(ctx, steps); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(out, "moved %d partitions of group %s\n", len(steps), r.Group) // it is done, told or not
	a.tellReport(rewind.Told(steps), out)
	return nil
}

// tellReport says what was done to whoever reads the file. Where it cannot, that is no failure: it is done all the same.
func (a *rewinding) tellReport(text string, out io.Writer) {
	if a.report == "" {
		return
	}
	if err := os.WriteFile(a.report, []byte(text), 0o644); err != nil { //nolint:gosec // others are to read it
		_, _ = fmt.Fprintf(out, "the report could not be written: %v\n", err)
	}
}

// tell says what would change. What cannot be told is done all the same.
func tell(steps []rewind.Step, out io.Writer) {
	for _, s := range steps {
		from, removed := fmt.Sprint(s.From), ""
		if s.New {
			from = "not begun"
		}
		if s.Removed > 0 {
			removed = fmt.Sprintf(" (the topic has the %d offsets before it no more)", s.Removed)
		}
		_, _ = fmt.Fprintf(out, "partition %d: %s → %d%s\n", s.Source.Partition, from, s.To, removed)
	}
}
