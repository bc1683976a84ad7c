package ingest

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"movieexample.com/fleet/services/internal/broker"
	"movieexample.com/fleet/services/internal/telemetry"
	"movieexample.com/fleet/services/rating/internal/model"
)

const (
	// lookEvery is how often the topic is looked at: whether it is the same one still, and where it ends.
	lookEvery = 2 * time.Second
	// commitEvery is how often Kafka is told what the database knows already.
	commitEvery = time.Second
	// askTimeout bounds one request to the brokers, leaveTimeout the leave.
	askTimeout   = 5 * time.Second
	leaveTimeout = 3 * time.Second
	// heartbeats are how many a session has: some may be late.
	heartbeats = 5
	// handOver bounds how long a partition that goes to another member is waited for.
	handOver = 4 * time.Second
)

// errRecreated means that the topic was deleted and made anew: clients know topics by their ids.
var errRecreated = errors.New("the topic was made anew")

// member is one membership in the group: from a join to the leave, or until the topic is another one. A shadow's is of no
// group.
type member struct {
	*Consumer

	topicID [16]byte
	group   *kgo.Client // joins; it fetches nothing. A shadow has none
	letters letterBox
	alone   letterBox // takes one letter at a time: a broker refuses a batch as a whole that is too large
	admin   *kadm.Client
	hard    context.Context // ends when batches under way must be given up

	workers sync.WaitGroup
}

// member joins the group and consumes what it is given, until the context ends or membership makes no sense any more.
func (c *Consumer) member(ctx context.Context) error {
	hard, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	m := &member{Consumer: c, hard: hard}
	outlet, err := c.outlet()
	if err != nil {
		return err
	}
	defer outlet.Close()
	alone, err := c.outlet(kgo.ProducerBatchMaxBytes(maxLetter), kgo.MaxBufferedRecords(1))
	if err != nil {
		return err
	}
	defer alone.Close()
	m.letters, m.alone, m.admin = outlet, alone, kadm.NewClient(outlet)
	if m.topicID, err = m.lookUp(ctx); err != nil {
		return err
	}
	defer c.setJoined(false)
	if c.Shadow {
		m.letters, m.alone = nowhere{}, nowhere{}
		return m.follow(ctx, m.assignAll)
	}
	if m.group, err = broker.NewClient(c.Read, c.ClientID, m.membership()...); err != nil {
		return err
	}
	defer m.group.Close()
	m.group.PauseFetchTopics(c.Topic)
	return m.follow(ctx, m.hear, m.commitNowAndThen)
}

// outlet makes a client that writes letters. It connects when it is first used.
func (c *Consumer) outlet(more ...kgo.Opt) (*kgo.Client, error) {
	return broker.NewClient(c.Read, c.ClientID, append([]kgo.Opt{
		kgo.RequiredAcks(kgo.AllISRAcks()), kgo.UnknownTopicRetries(1),
		kgo.DisableIdempotentWrite(), // a letter may be there twice after a crash anyway, and a failed start of idempotence lasts
	}, more...)...)
}

// membership are the options of the client that joins. Each partition is read by a client of its own from the database's
// position, so what this one would fetch is of no interest.
func (m *member) membership() []kgo.Opt {
	options := []kgo.Opt{
		kgo.ConsumerGroup(m.Group), kgo.ConsumeTopics(m.Topic), kgo.DisableAutoCommit(),
		kgo.SessionTimeout(m.SessionTimeout), kgo.HeartbeatInterval(m.SessionTimeout / heartbeats),
		kgo.OnPartitionsAssigned(m.assigned), kgo.OnPartitionsRevoked(m.revoked), kgo.OnPartitionsLost(m.lost),
		kgo.AdjustFetchOffsetsFn(anywhere),
	}
	if m.NewProtocol {
		return append(options, kgo.ServerSideBalancer(), kgo.Balancers(kgo.StickyBalancer()))
	}
	return append(options, kgo.Balancers(kgo.CooperativeStickyBalancer()))
}

// anywhere spares the client the search for positions that it will not use.
func anywhere(_ context.Context, fetched map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	for _, partitions := range fetched {
		for p := range partitions {
			partitions[p] = kgo.NewOffset().At(0)
		}
	}
	return fetched, nil
}

// follow keeps the membership, by what it takes, and ends it in order: partitions are given back before the group is left.
func (m *member) follow(ctx context.Context, takes ...func(context.Context)) error {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	var loops sync.WaitGroup
	loops.Go(func() { m.watch(ctx, end) })
	for _, loop := range takes {
		loops.Go(func() { loop(ctx) })
	}
	<-ctx.Done()
	loops.Wait()
	m.leave(ctx)
	m.stop(m.list(), 0) // those of a group that could not be left, and a shadow's
	m.workers.Wait()
	return context.Cause(ctx)
}

// leave gives the partitions back in order.
func (m *member) leave(ctx context.Context) {
	if m.group == nil {
		return
	}
	leaving, cancel := context.WithTimeout(context.WithoutCancel(ctx), handOver+leaveTimeout)
	defer cancel()
	if err := m.group.LeaveGroupContext(leaving); err != nil { // calls revoked for all partitions
		m.Log.InfoContext(ctx, "The group was not left in order: others wait for the session's end", telemetry.KeyError, err)
	}
}

// hear takes what the group's coordinator refuses: a client that joins in vain tells of it nowhere else.
func (m *member) hear(ctx context.Context) {
	for ctx.Err() == nil {
		m.group.PollFetches(ctx).EachError(func(_ string, _ int32, err error) {
			if refused, ok := errors.AsType[*kgo.ErrGroupSession](err); ok && !passing(refused.Err) {
				m.setJoined(false)
				m.trouble.tell(ctx, "The group cannot be joined", &brokerError{"join the group", "Read on group " + m.Group, refused.Err})
			}
		})
	}
}

// passing tells of errors that the client heals by joining once more.
func passing(err error) bool {
	return errors.Is(err, kerr.UnknownMemberID) || errors.Is(err, kerr.IllegalGeneration) || errors.Is(err, kerr.RebalanceInProgress) ||
		errors.Is(err, kerr.FencedMemberEpoch) || errors.Is(err, kerr.StaleMemberEpoch)
}

// assigned is called at the end of each rebalance, with what is new.
func (m *member) assigned(ctx context.Context, _ *kgo.Client, partitions map[string][]int32) {
	m.metrics.rebalances.Inc()
	m.setJoined(true)
	m.Log.InfoContext(ctx, "Partitions were assigned", "partitions", partitions[m.Topic])
	m.work(partitions[m.Topic])
}

func (m *member) source(partition int32) model.Source {
	return model.Source{Group: m.Group, Topic: m.Topic, TopicID: m.topicID, Partition: partition}
}

// work begins with partitions.
func (m *member) work(ids []int32) {
	for _, id := range ids {
		p := newPartition(m, m.source(id))
		m.mu.Lock()
		m.partitions[id] = p
		m.mu.Unlock()
		m.workers.Go(p.run)
	}
}

// revoked finishes or gives up what is under way before others get the partitions.
func (m *member) revoked(ctx context.Context, _ *kgo.Client, partitions map[string][]int32) {
	stopped := m.stop(m.those(partitions[m.Topic]), handOver)
	if len(stopped) == 0 {
		return
	}
	m.Log.InfoContext(ctx, "Partitions were revoked", "partitions", partitions[m.Topic])
	ctx, cancel := context.WithTimeout(ctx, leaveTimeout)
	defer cancel()
	m.commit(ctx, stopped)
}

// lost gives up at once, since others may have the partitions already: their transactions and these exclude each other.
func (m *member) lost(ctx context.Context, _ *kgo.Client, partitions map[string][]int32) {
	m.setJoined(false)
	list := m.stop(m.those(partitions[m.Topic]), 0)
	if len(list) > 0 {
		m.Log.WarnContext(ctx, "Partitions were given up: the membership in the group has ended", "partitions", partitions[m.Topic])
	}
}

func (m *member) those(ids []int32) []*partition {
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []*partition
	for _, id := range ids {
		if p, ok := m.partitions[id]; ok {
			list = append(list, p)
		}
	}
	return list
}

// stop ends work on the partitions and waits for it. What is under way may take so long to finish.
func (m *member) stop(list []*partition, patience time.Duration) []*partition {
	for _, p := range list {
		p.end()
	}
	late := time.AfterFunc(patience, func() {
		for _, p := range list {
			p.giveUp()
		}
	})
	defer late.Stop()
	for _, p := range list {
		<-p.done
		m.mu.Lock()
		if m.partitions[p.source.Partition] == p {
			delete(m.partitions, p.source.Partition)
		}
		m.mu.Unlock()
	}
	return list
}

// lookUp finds the topic, and makes sure that there is a place for dead letters: without one, a bad event would hold up
// its partition.
func (m *member) lookUp(ctx context.Context) ([16]byte, error) {
	if _, err := m.idOf(ctx, m.DeadLetters); err != nil {
		return [16]byte{}, err
	}
	return m.idOf(ctx, m.Topic)
}

// idOf asks for one topic: of several, an answer would not tell which is refused.
func (m *member) idOf(ctx context.Context, topic string) ([16]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	topics, err := m.admin.ListTopics(ctx, topic)
	if err == nil {
		err = topics[topic].Err
	}
	if err != nil {
		return [16]byte{}, &brokerError{"ask for the topic " + topic, "Describe on topic " + topic, err}
	}
	return topics[topic].ID, nil
}
