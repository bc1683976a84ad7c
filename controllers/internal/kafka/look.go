package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"movieexample.com/fleet/controllers/internal/bindings"
)

// Source is what a consumer works with.
type Source struct{ Topic, Group, DeadLetterTopic string }

// Partition is how far a group is with one partition.
type Partition struct {
	Number int32
	// Start is the offset of the first record that is there, End the one up to which consumers may read: they do not get what
	// a producer's transaction holds that is still open, nor what comes after it.
	Start, End int64
	// Committed is the offset that the group goes on from; -1 where it has committed none.
	Committed int64
}

// Lag is how many records the group has before it. A group that has committed nothing begins with the first.
func (p Partition) Lag() int64 { return max(0, p.End-max(p.Start, p.Committed)) }

// Removed is how many records were removed before the group has committed them. One that has committed nothing begins with the
// first that is there.
func (p Partition) Removed() int64 {
	if p.Committed < 0 {
		return 0
	}
	return max(0, p.Start-p.Committed)
}

// Member is a member of the group.
type Member struct {
	// Client is the name that it goes by; a consumer of the fleet goes by its pod's.
	Client     string
	Partitions []int32
}

// Report is what was seen.
type Report struct {
	// TopicID names this topic; one that is made anew has another.
	TopicID    [16]byte
	Partitions []Partition
	Members    []Member
	// Problems say what is missing or forbidden, and how to mend it; empty when nothing is.
	Problems []string
}

// look looks at the topics and the group; refused is true where the client may not log in, which the report says.
func look(ctx context.Context, client *kgo.Client, b bindings.Kafka, s Source) (report Report, refused bool, err error) {
	v := view{client: client, admin: kadm.NewClient(client), binding: b, source: s}
	err = v.look(ctx)
	switch {
	case errors.Is(err, kerr.SaslAuthenticationFailed):
		v.problem("Kafka refuses the login of user %q: correct username and password in the binding", b.Username)
		return v.report, true, nil
	case err != nil:
		return Report{}, false, fmt.Errorf("ask Kafka at %s: %w", b.Servers[0], err)
	}
	return v.report, false, nil
}

type view struct {
	client  *kgo.Client
	admin   *kadm.Client
	binding bindings.Kafka
	source  Source
	report  Report
}

func (v *view) look(ctx context.Context) error {
	readable, err := v.topics(ctx)
	if err != nil {
		return err
	}
	if err := v.group(ctx); err != nil || !readable {
		return err
	}
	return v.offsets(ctx)
}

func (v *view) problem(format string, args ...any) {
	v.report.Problems = append(v.report.Problems, fmt.Sprintf(format, args...))
}

// who is the user for messages.
func (v *view) who() string {
	if v.binding.Username == "" {
		return "who does not log in"
	}
	return fmt.Sprintf("user %q", v.binding.Username)
}

// topics looks at both topics, and says whether the first is there and may be looked at.
func (v *view) topics(ctx context.Context) (readable bool, err error) {
	request := kmsg.NewPtrMetadataRequest()
	request.IncludeTopicAuthorizedOperations = true
	for _, name := range []string{v.source.Topic, v.source.DeadLetterTopic} {
		topic := kmsg.NewMetadataRequestTopic()
		topic.Topic = &name
		request.Topics = append(request.Topics, topic)
	}
	answer, err := request.RequestWith(ctx, v.client)
	if err != nil {
		return false, fmt.Errorf("list topics: %w", err)
	}
	for _, topic := range answer.Topics {
		name := *topic.Topic
		needs := kadm.OpRead
		if name == v.source.DeadLetterTopic {
			needs = kadm.OpWrite
		}
		there, err := v.topic(name, topic, needs)
		if err != nil {
			return false, err
		}
		if name == v.source.Topic {
			v.report.TopicID, readable = topic.TopicID, there
		}
	}
	return readable, nil
}

func (v *view) topic(name string, topic kmsg.MetadataResponseTopic, needs kadm.ACLOperation) (there bool, err error) {
	switch err := kerr.ErrorForCode(topic.ErrorCode); {
	case errors.Is(err, kerr.TopicAuthorizationFailed):
		v.problem("%s may not see the topic %s: grant %s and Describe on it", v.who(), name, needs)
		return false, nil
	case errors.Is(err, kerr.UnknownTopicOrPartition):
		v.problem("the topic %s does not exist: create it, or correct its name in spec.kafka", name)
		return false, nil
	case errors.Is(err, kerr.InvalidTopicException):
		v.problem("Kafka takes %q for no name of a topic: correct it in spec.kafka", name)
		return false, nil
	case err != nil:
		return false, fmt.Errorf("look at topic %s: %w", name, err)
	}
	if may := kadm.DecodeACLOperations(topic.AuthorizedOperations); len(may) > 0 && !slices.Contains(may, needs) {
		v.problem("%s may not %s the topic %s: grant %s on it", v.who(), verb(needs), name, needs)
	}
	return true, nil
}

func verb(needs kadm.ACLOperation) string {
	if needs == kadm.OpWrite {
		return "write to"
	}
	return "read"
}

// group looks at the members, whichever protocol the group uses.
func (v *view) group(ctx context.Context) error {
	groups, err := v.admin.DescribeGroups(ctx, v.source.Group)
	if isForbidden(err) {
		v.problem("%s may not use the group %s: grant Read on it", v.who(), v.source.Group)
		return nil
	}
	if err != nil {
		return fmt.Errorf("look at group %s: %w", v.source.Group, err)
	}
	group := groups[v.source.Group]
	if classic := group.Err == nil && group.State != "Dead"; !classic {
		return v.newGroup(ctx)
	}
	v.mayRead(group.AuthorizedOperations)
	for _, m := range group.Members {
		member := Member{Client: m.ClientID}
		if c, ok := m.Assigned.AsConsumer(); ok {
			for _, t := range c.Topics {
				if t.Topic == v.source.Topic {
					member.Partitions = slices.Sorted(slices.Values(t.Partitions))
				}
			}
		}
		v.report.Members = append(v.report.Members, member)
	}
	return nil
}

func isForbidden(err error) bool {
	var auth *kadm.AuthError
	return errors.As(shard(err), &auth) || errors.Is(shard(err), kerr.GroupAuthorizationFailed)
}

// shard is the first error of a request that went to several brokers.
func shard(err error) error {
	var shards *kadm.ShardErrors
	if errors.As(err, &shards) && len(shards.Errs) > 0 {
		return shards.Errs[0].Err
	}
	return err
}

// newGroup looks at a group of the protocol of KIP-848. One that nobody has joined yet is no problem, and has no members where
// the broker does not know the protocol; but one that cannot be asked for now may have some.
func (v *view) newGroup(ctx context.Context) error {
	groups, err := v.admin.DescribeConsumerGroups(ctx, v.source.Group)
	group := groups[v.source.Group]
	if err == nil {
		err = group.Err
	}
	switch err = shard(err); {
	case ctx.Err() != nil || kerr.IsRetriable(err) || kgo.IsRetryableBrokerErr(err):
		return fmt.Errorf("look at group %s: %w", v.source.Group, err)
	case err == nil:
		v.mayRead(group.AuthorizedOperations)
	}
	for _, m := range group.Members {
		v.report.Members = append(v.report.Members, Member{
			Client: m.ClientID, Partitions: slices.Sorted(slices.Values(keys(m.Assignment[v.source.Topic]))),
		})
	}
	return nil
}

func keys(set map[int32]struct{}) []int32 {
	var list []int32
	for n := range set {
		list = append(list, n)
	}
	return list
}

func (v *view) mayRead(may []kadm.ACLOperation) {
	if len(may) > 0 && !slices.Contains(may, kadm.OpRead) {
		v.problem("%s may not join the group %s: grant Read on it", v.who(), v.source.Group)
	}
}

// offsets looks at how far the group is.
func (v *view) offsets(ctx context.Context) error {
	topic := v.source.Topic
	start, err := v.admin.ListStartOffsets(ctx, topic)
	if err != nil {
		return fmt.Errorf("list the first offsets of %s: %w", topic, err)
	}
	end, err := v.admin.ListCommittedOffsets(ctx, topic)
	if err != nil {
		return fmt.Errorf("list the last offsets of %s: %w", topic, err)
	}
	committed, err := v.admin.FetchOffsets(ctx, v.source.Group)
	if err != nil && !isForbidden(err) && !errors.Is(err, kerr.GroupIDNotFound) {
		return fmt.Errorf("fetch the offsets of group %s: %w", v.source.Group, err)
	}
	for number, last := range end[topic] {
		first, seen := start.Lookup(topic, number)
		if last.Err != nil || !seen || first.Err != nil {
			return fmt.Errorf("partition %d of %s has no leader that answers: %w", number, topic, errors.Join(last.Err, first.Err))
		}
		p := Partition{Number: number, Start: first.Offset, End: last.Offset, Committed: -1}
		if c, ok := committed.Lookup(topic, number); ok && c.Err == nil {
			p.Committed = c.At
		}
		v.report.Partitions = append(v.report.Partitions, p)
	}
	slices.SortFunc(v.report.Partitions, func(a, b Partition) int { return int(a.Number - b.Number) })
	return nil
}
