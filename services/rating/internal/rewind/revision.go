package rewind

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"movieexample.com/fleet/services/rating/internal/model"
)

// clocks is how much those of the machines may differ: whoever names a time has another one than the consumer who noted it.
const clocks = 5 * time.Minute

// Trial is the time since which a revision has been tried; all time where Since is zero.
type Trial struct {
	Revision string
	Since    time.Time
}

func (t Trial) String() string {
	if t.Since.IsZero() {
		return "revision " + t.Revision
	}
	return fmt.Sprintf("revision %s since %s", t.Revision, t.Since.UTC().Format(time.RFC3339))
}

// began is the lowest offset at which the revision began with a partition in its trial. It is never after one that it began
// at: a tenure that was noted before the trial counts where it had not ended by then, and clocks may differ.
func (t Trial) began(list []model.Tenure) (from int64, found bool) {
	for i, tenure := range list {
		over := i+1 < len(list) && list[i+1].Since.Before(t.Since.Add(-clocks))
		if tenure.Revision != t.Revision || over {
			continue
		}
		if !found || tenure.From < from {
			from, found = tenure.From, true
		}
	}
	return from, found
}

// PlanTrial takes the partitions that a revision has begun back to where it began, none of them forward; no partitions
// means all. There is no step for one that is there already, and none to what the topic has no more.
func (r *Rewinder) PlanTrial(ctx context.Context, trial Trial, partitions []int32) ([]Step, error) {
	sources, err := r.sources(ctx, partitions)
	if err != nil {
		return nil, err
	}
	starts, err := r.Admin.ListStartOffsets(ctx, r.Topic)
	if err != nil {
		return nil, r.refused("ask where the topic begins", err)
	}
	var steps []Step
	var readers []string
	known := false
	for _, source := range sources {
		list, err := r.Store.Tenures(ctx, source)
		if err != nil {
			return nil, err
		}
		for _, tenure := range list {
			readers = append(readers, tenure.Revision)
		}
		from, found := trial.began(list)
		if !found {
			continue
		}
		known = true
		first, _ := starts.Lookup(r.Topic, source.Partition)
		if first.Err != nil {
			return nil, r.refused(fmt.Sprintf("ask for partition %d", source.Partition), first.Err)
		}
		at, begun, err := r.Store.Position(ctx, source)
		if err != nil {
			return nil, err
		}
		if step := back(at, from, first.Offset); begun && step.To < at {
			step.Source = source
			steps = append(steps, step)
		}
	}
	if !known {
		return nil, r.unknown(trial, readers)
	}
	return steps, nil
}

// back is the way from an offset to one before it, as far as the topic goes back.
func back(at, to, earliest int64) Step {
	step := Step{From: at, To: min(at, max(to, earliest))}
	step.Removed = max(step.To-to, 0)
	return step
}

// ErrUnknown is for a revision of which nothing is known.
var ErrUnknown = errors.New("nothing was changed")

// unknown says which revisions there are: a hash is soon mistyped.
func (r *Rewinder) unknown(trial Trial, others []string) error {
	slices.Sort(others)
	others = slices.DeleteFunc(slices.Compact(others), func(name string) bool { return name == "" })
	known := "none that has a name is known to have read it"
	if len(others) > 0 {
		known = "those that have read it are " + strings.Join(others, ", ")
	}
	return fmt.Errorf("%w: %s has begun with no such partition of topic %s in group %s; %s (older than %d days, or of an "+
		"image that does not tell, it is not known: say where to go by --to)", ErrUnknown, trial, r.Topic, r.Group, known, model.TenureRetention/(24*time.Hour))
}

// Told says which partitions are read again, and from where.
func Told(steps []Step) string {
	var list []string
	for _, s := range steps {
		list = append(list, fmt.Sprintf("%d from %d", s.Source.Partition, s.To))
	}
	const most = 20
	switch n := len(list); {
	case n == 0:
		return "no partition was past where it is to be"
	case n == 1:
		return fmt.Sprintf("partition %s is read again", list[0])
	case n > most:
		return fmt.Sprintf("%d partitions are read again: %s and so on", n, strings.Join(list[:most], ", "))
	}
	return fmt.Sprintf("partitions %s are read again", strings.Join(list, ", "))
}
