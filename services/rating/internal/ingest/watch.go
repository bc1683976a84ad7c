package ingest

import (
	"context"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// watch looks at the topic again and again, and ends the membership when it is another one.
func (m *member) watch(ctx context.Context, end context.CancelCauseFunc) {
	for ctx.Err() == nil {
		id, err := m.idOf(ctx, m.Topic)
		switch {
		case err != nil:
			m.trouble.tell(ctx, "The topic cannot be looked at", err)
		case id != m.topicID:
			m.Log.WarnContext(ctx, "The topic was deleted and made anew: consuming begins at its earliest event")
			end(errRecreated)
			return
		default:
			m.trouble.away.works(forBroker)
			m.findEnds(ctx)
		}
		sleep(ctx, lookEvery)
	}
}

// findEnds notes where the partitions end, from which lag is told also while nothing is fetched.
func (m *member) findEnds(ctx context.Context) {
	list := m.list()
	if len(list) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	ends, err := m.admin.ListCommittedOffsets(ctx, m.Topic)
	if err != nil {
		m.trouble.tell(ctx, "The topic cannot be looked at", &brokerError{"ask where it ends", "Describe on topic " + m.Topic, err})
		return
	}
	for _, p := range list {
		if end, ok := ends.Lookup(m.Topic, p.source.Partition); ok && end.Err == nil {
			p.place.endsAt(end.Offset)
		}
	}
}

// mark tells commits of consumers from those that somebody made by hand.
const mark = "ingest"

func (m *member) commitNowAndThen(ctx context.Context) {
	for ctx.Err() == nil {
		sleep(ctx, commitEvery)
		m.commit(ctx, m.list())
	}
}

// commit tells Kafka how far the database is, for those who look at the group. Nothing depends on it: consuming begins
// where the database says.
func (m *member) commit(ctx context.Context, list []*partition) {
	offsets := map[int32]kgo.EpochOffset{}
	for _, p := range list {
		if next, ok := p.place.uncommitted(); ok {
			offsets[p.source.Partition] = kgo.EpochOffset{Epoch: -1, Offset: next}
		}
	}
	if len(offsets) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	marked := kgo.PreCommitFnContext(ctx, func(r *kmsg.OffsetCommitRequest) error {
		for t := range r.Topics {
			for p := range r.Topics[t].Partitions {
				r.Topics[t].Partitions[p].Metadata = kmsg.StringPtr(mark)
			}
		}
		return nil
	})
	m.group.CommitOffsetsSync(marked, map[string]map[int32]kgo.EpochOffset{m.Topic: offsets},
		func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, answer *kmsg.OffsetCommitResponse, err error) {
			if err != nil {
				return // the next one tells more
			}
			for _, p := range list {
				if committed(answer, p.source.Partition) {
					p.place.committedAt(offsets[p.source.Partition].Offset)
				}
			}
		})
}

func committed(answer *kmsg.OffsetCommitResponse, partition int32) bool {
	for _, t := range answer.Topics {
		for _, p := range t.Partitions {
			if p.Partition == partition {
				return p.ErrorCode == 0
			}
		}
	}
	return false
}

// compare tells of a group that was reset in Kafka: it has no effect, and whoever did it must learn of that.
func (m *member) compare(ctx context.Context, partition int32, next int64) {
	if m.group == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	offsets, err := m.admin.FetchOffsetsForTopics(ctx, m.Group, m.Topic)
	if err != nil {
		return // it only serves to tell
	}
	kafka, ok := offsets.Lookup(m.Topic, partition)
	if !ok || kafka.Err != nil || kafka.At < 0 || !reset(kafka, next) {
		return
	}
	m.Log.WarnContext(ctx, "The group's offset in Kafka was set by somebody else and is ignored: the position in the database counts, "+
		"which the command rating rewind changes", "partition", partition, "kafka", kafka.At, "database", next)
}

// reset tells whether an offset was set by hand: consumers leave a mark, and may have ended before their last commit.
func reset(kafka kadm.OffsetResponse, next int64) bool {
	return kafka.At != next && kafka.Metadata != mark
}
