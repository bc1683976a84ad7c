package replay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"movieexample.com/fleet/services/internal/broker"
	"movieexample.com/fleet/services/rating/internal/deadletter"
	"movieexample.com/fleet/services/rating/internal/event"
)

// Filter says which letters are meant. The zero value means all.
type Filter struct {
	Causes []string
	// Since and Until bound when the letter was written; zero is no bound. Until itself is left out.
	Since, Until time.Time
}

// Check refuses what no letter can be.
func (f Filter) Check() error {
	known := []string{
		event.CauseUnparsable, event.CauseInvalid, event.CauseUnknownType, event.CauseUnsupportedVersion,
		deadletter.CauseExpired, deadletter.CausePanic,
	}
	for _, cause := range f.Causes {
		if !slices.Contains(known, cause) {
			return fmt.Errorf("--cause %q is none: use %s", cause, strings.Join(known, ", "))
		}
	}
	if !f.Since.IsZero() && !f.Until.IsZero() && !f.Since.Before(f.Until) {
		return fmt.Errorf("--since %s is not before --until %s", f.Since.Format(time.RFC3339), f.Until.Format(time.RFC3339))
	}
	return nil
}

func (f Filter) means(l deadletter.Letter, written time.Time) bool {
	return (len(f.Causes) == 0 || slices.Contains(f.Causes, l.Cause)) &&
		!written.Before(f.Since) && (f.Until.IsZero() || written.Before(f.Until))
}

// Counts are what became of the letters.
type Counts struct {
	Sent  int // acknowledged at their source, or what would be sent
	Kept  int // not meant by the filter
	Empty int // meant, and without the event's value: their source has it as long as it keeps it
	Other int // records that are no letters
}

// Run reads all letters that there are when it begins, and sends those that are meant back to their topics; with pretend it
// only counts them. Letters stay where they are, and what is sent twice takes effect once.
func Run(ctx context.Context, read broker.Read, topic string, filter Filter, pretend bool) (Counts, error) {
	from := map[string]map[int32]kgo.Offset{topic: {}}
	client, err := broker.NewClient(read, "rating-replay", kgo.RequiredAcks(kgo.AllISRAcks()))
	if err != nil {
		return Counts{}, err
	}
	defer client.Close()
	alone, err := broker.NewClient(read, "rating-replay", kgo.RequiredAcks(kgo.AllISRAcks()), kgo.ProducerBatchMaxBytes(maxEvent), kgo.MaxBufferedRecords(1))
	if err != nil {
		return Counts{}, err
	}
	defer alone.Close()
	admin := kadm.NewClient(client)
	todo, err := span(ctx, admin, topic)
	if err != nil || len(todo) == 0 {
		return Counts{}, err
	}
	for partition, s := range todo {
		from[topic][partition] = kgo.NewOffset().At(s.next)
	}
	r := &run{filter: filter, pretend: pretend, todo: todo, out: client, alone: alone}
	in, err := broker.NewClient(read, "rating-replay", kgo.ConsumePartitions(from), kgo.KeepControlRecords())
	if err != nil {
		return Counts{}, err
	}
	defer in.Close()
	err = r.all(ctx, func(ctx context.Context) kgo.Fetches { return in.PollRecords(ctx, batch) },
		func(ctx context.Context) (kadm.ListedOffsets, error) { return admin.ListStartOffsets(ctx, topic) })
	if err != nil {
		return r.counts, fmt.Errorf("replay %s: %w: %s", topic, err, broker.Advice(broker.Reason(err)))
	}
	return r.counts, nil
}

const (
	batch    = 1000
	maxEvent = 64 << 20
	// quiet is how long no letter comes before it is asked whether there are any left.
	quiet = 5 * time.Second
)

// stretch is what is to be read of a partition.
type stretch struct{ next, end int64 }

func span(ctx context.Context, admin *kadm.Client, topic string) (map[int32]stretch, error) {
	starts, err := admin.ListStartOffsets(ctx, topic)
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("ask for the topic %s: %w: %s", topic, err, broker.Advice(broker.Reason(err)))
	}
	ends, err := admin.ListEndOffsets(ctx, topic)
	if err != nil {
		return nil, fmt.Errorf("ask for the topic %s: %w: %s", topic, err, broker.Advice(broker.Reason(err)))
	}
	todo := map[int32]stretch{}
	for partition, start := range starts[topic] {
		if end, ok := ends.Lookup(topic, partition); ok && start.Offset < end.Offset {
			todo[partition] = stretch{start.Offset, end.Offset}
		}
	}
	return todo, nil
}

type run struct {
	filter  Filter
	pretend bool
	todo    map[int32]stretch // partitions with letters that were not looked at
	out     *kgo.Client
	alone   *kgo.Client // sends one event at a time: a broker refuses a batch as a whole that is too large
	counts  Counts
}

// all works until no partition is left. The last letters may never come: retention may remove them meanwhile.
func (r *run) all(ctx context.Context, poll func(context.Context) kgo.Fetches, starts func(context.Context) (kadm.ListedOffsets, error)) error {
	for len(r.todo) > 0 {
		waiting, cancel := context.WithTimeout(ctx, quiet)
		fetches := poll(waiting)
		cancel()
		if ctx.Err() == nil && errors.Is(fetches.Err0(), context.DeadlineExceeded) {
			now, err := starts(ctx)
			if err == nil {
				err = now.Error() // a topic that was deleted meanwhile sends nothing for good
			}
			if err != nil {
				return err
			}
			r.forgetRemoved(now)
			continue
		}
		if err := r.batch(ctx, fetches); err != nil {
			return err
		}
	}
	return nil
}

// forgetRemoved ends the partitions of which all that was there in the beginning is gone.
func (r *run) forgetRemoved(starts kadm.ListedOffsets) {
	starts.Each(func(start kadm.ListedOffset) {
		if s, ok := r.todo[start.Partition]; ok && start.Offset >= s.end {
			delete(r.todo, start.Partition)
		}
	})
}

// batch sends the letters among the records that are meant, and waits until they are safe.
func (r *run) batch(ctx context.Context, fetches kgo.Fetches) error {
	if err := fetches.Err0(); err != nil {
		return err
	}
	for _, e := range fetches.Errors() {
		return e.Err
	}
	var send []*kgo.Record
	fetches.EachRecord(func(record *kgo.Record) {
		s, ok := r.todo[record.Partition]
		if ok && record.Offset >= s.end-1 { // where the topic is compacted the last one itself may be gone
			delete(r.todo, record.Partition)
		}
		if !ok || record.Offset >= s.end {
			return // written since the beginning
		}
		if event := r.sort(record); event != nil {
			send = append(send, event)
		}
	})
	if !r.pretend {
		if err := r.send(ctx, send); err != nil {
			return err
		}
	}
	r.counts.Sent += len(send)
	return nil
}

func (r *run) send(ctx context.Context, events []*kgo.Record) error {
	for _, result := range r.out.ProduceSync(ctx, events...) {
		err := result.Err
		if broker.Reason(err) == broker.ReasonTooLarge {
			e := result.Record
			err = r.alone.ProduceSync(ctx, &kgo.Record{Topic: e.Topic, Key: e.Key, Value: e.Value, Headers: e.Headers, Timestamp: e.Timestamp}).FirstErr()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// sort is the event to send, or nil.
func (r *run) sort(record *kgo.Record) *kgo.Record {
	if record.Attrs.IsControl() {
		return nil
	}
	l, err := deadletter.Read(record)
	switch {
	case err != nil:
		r.counts.Other++
	case !r.filter.means(l, record.Timestamp):
		r.counts.Kept++
	case l.Omitted > 0:
		r.counts.Empty++
	default:
		// The time is that of the first time: an event that does not tell when it occurred occurred then.
		return &kgo.Record{
			Topic: l.Event.Topic, Key: l.Event.Key, Value: l.Event.Value, Headers: l.Event.Headers, Timestamp: l.Event.Timestamp,
		}
	}
	return nil
}
