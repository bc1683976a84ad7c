package rewind

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"movieexample.com/fleet/services/internal/broker"
	"movieexample.com/fleet/services/rating/internal/model"
)

// Store keeps the positions.
type Store interface {
	Position(ctx context.Context, source model.Source) (next int64, found bool, err error)
	Rewind(ctx context.Context, source model.Source, next int64) error
	// Tenures are who has begun with the source, in order.
	Tenures(ctx context.Context, source model.Source) ([]model.Tenure, error)
}

// Target is where to go: the earliest event, the end, the first event of a time, or an offset.
type Target struct {
	kind   string
	at     time.Time
	offset int64
}

const (
	earliest = "earliest"
	latest   = "latest"
	atTime   = "time"
	atOffset = "offset"
)

// ParseTarget reads earliest, latest, a time such as 2026-11-21T10:00:00Z, or an offset.
func ParseTarget(text string) (Target, error) {
	if text == earliest || text == latest {
		return Target{kind: text}, nil
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && n >= 0 {
		return Target{kind: atOffset, offset: n}, nil
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return Target{kind: atTime, at: at}, nil
	}
	return Target{}, fmt.Errorf("--to %q is no target: use earliest, latest, a time such as 2026-11-21T10:00:00Z, or an offset", text)
}

// Step is one partition's way.
type Step struct {
	Source   model.Source
	From, To int64
	New      bool  // the group has not begun with the partition: From means nothing
	Removed  int64 // offsets before To that were asked for and that the topic has no more
}

// Rewinder plans and does it.
type Rewinder struct {
	Admin *kadm.Client
	Store Store
	Group string
	Topic string
}

// Plan is what Do would do to the partitions; none means all.
func (r *Rewinder) Plan(ctx context.Context, to Target, partitions []int32) ([]Step, error) {
	sources, err := r.sources(ctx, partitions)
	if err != nil {
		return nil, err
	}
	targets, err := r.targets(ctx, to)
	if err != nil {
		return nil, err
	}
	var steps []Step
	for _, source := range sources {
		step, err := r.step(ctx, source, targets)
		if err != nil {
			return nil, err
		}
		steps = append(steps, step)
	}
	return steps, nil
}

// sources are the partitions as the group reads them; none means all.
func (r *Rewinder) sources(ctx context.Context, partitions []int32) ([]model.Source, error) {
	topics, err := r.Admin.ListTopics(ctx, r.Topic)
	if err == nil {
		err = topics[r.Topic].Err
	}
	if err != nil {
		return nil, r.refused("ask for the topic "+r.Topic, err)
	}
	known := topics[r.Topic].Partitions.Numbers()
	for _, p := range partitions {
		if !slices.Contains(known, p) {
			return nil, fmt.Errorf("--partition %d: the topic %s has the partitions 0 to %d", p, r.Topic, len(known)-1)
		}
	}
	if len(partitions) == 0 {
		partitions = known
	}
	var list []model.Source
	for _, p := range partitions {
		list = append(list, model.Source{Group: r.Group, Topic: r.Topic, TopicID: topics[r.Topic].ID, Partition: p})
	}
	return list, nil
}

func (r *Rewinder) step(ctx context.Context, source model.Source, targets func(int32) (int64, error)) (Step, error) {
	to, err := targets(source.Partition)
	if err != nil {
		return Step{}, err
	}
	from, found, err := r.Store.Position(ctx, source)
	return Step{Source: source, From: from, To: to, New: !found}, err
}

// targets finds each partition's offset. One that the topic does not have would make consumers skip events or wait.
func (r *Rewinder) targets(ctx context.Context, to Target) (func(partition int32) (int64, error), error) {
	starts, err := r.Admin.ListStartOffsets(ctx, r.Topic)
	if err != nil {
		return nil, r.refused("ask where the topic begins", err)
	}
	ends, err := r.Admin.ListEndOffsets(ctx, r.Topic)
	if err != nil {
		return nil, r.refused("ask where the topic ends", err)
	}
	chosen := map[string]kadm.ListedOffsets{earliest: starts, latest: ends}[to.kind]
	if to.kind == atTime {
		if chosen, err = r.Admin.ListOffsetsAfterMilli(ctx, to.at.UnixMilli(), r.Topic); err != nil {
			return nil, r.refused("ask for the first events of that time", err)
		}
	}
	return func(p int32) (int64, error) {
		first, _ := starts.Lookup(r.Topic, p)
		last, _ := ends.Lookup(r.Topic, p)
		if err := errors.Join(first.Err, last.Err); err != nil {
			return 0, r.refused(fmt.Sprintf("ask for partition %d", p), err)
		}
		if to.kind == atOffset {
			if to.offset < first.Offset || to.offset > last.Offset {
				return 0, fmt.Errorf("--to %d: partition %d has the offsets %d to %d; name a --partition, or one that all have",
					to.offset, p, first.Offset, last.Offset)
			}
			return to.offset, nil
		}
		o, _ := chosen.Lookup(r.Topic, p)
		return o.Offset, o.Err
	}, nil
}

func (r *Rewinder) refused(what string, err error) error {
	return fmt.Errorf("%s: %w: %s", what, err, broker.Advice(broker.Reason(err)))
}

// Members are who consumes now, by client id, in either of Kafka's protocols.
func (r *Rewinder) Members(ctx context.Context) ([]string, error) {
	var members []string
	classic, err := r.Admin.DescribeGroups(ctx, r.Group)
	if err != nil {
		return nil, r.refused("ask for the members of group "+r.Group, err)
	}
	for _, m := range classic[r.Group].Members {
		members = append(members, m.ClientID)
	}
	if len(members) > 0 {
		return members, nil
	}
	modern, err := r.Admin.DescribeConsumerGroups(ctx, r.Group)
	if err != nil {
		return nil, nil //nolint:nilerr // brokers that do not know the request have no such groups
	}
	for _, m := range modern[r.Group].Members {
		members = append(members, m.ClientID)
	}
	return members, nil
}

// Do takes the steps, one after another; the error says how many were taken.
func (r *Rewinder) Do(ctx context.Context, steps []Step) error {
	for i, s := range steps {
		if err := r.Store.Rewind(ctx, s.Source, s.To); err != nil {
			return fmt.Errorf("%d of %d partitions were moved: %w", i, len(steps), err)
		}
	}
	return nil
}
