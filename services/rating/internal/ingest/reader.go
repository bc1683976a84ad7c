package ingest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"movieexample.com/fleet/services/internal/broker"
	"movieexample.com/fleet/services/rating/internal/model"
)

const (
	// fetchBytes bounds what a client has fetched ahead of a partition, as it travels; while a batch is being stored it
	// fetches no more than that. An event that is larger comes alone.
	fetchBytes = 1 << 20
	// unpackedBytes bounds what a batch of a producer holds when it is unpacked: a million bytes on their way may be gigabytes,
	// which end the process, and the next one that gets the partition. Unpacking takes up to three times as much for a moment,
	// and partitions do it at once. What producers send by default holds a megabyte.
	unpackedBytes = 32 << 20
	// fetchWait is how long a broker waits for events before it says that there are none.
	fetchWait = 500 * time.Millisecond
	// quietFor is how long no event comes before the database is asked whether the position holds.
	quietFor = 2 * time.Second
)

// reader reads one partition from an offset on. Nobody but the one who reads can hold it up, and it holds up nobody.
type reader struct {
	client *kgo.Client
	source model.Source
}

func newReader(read broker.Read, id string, source model.Source, next int64) (*reader, error) {
	from := map[string]map[int32]kgo.Offset{source.Topic: {source.Partition: kgo.NewOffset().At(next)}}
	client, err := broker.NewClient(read, id, kgo.ConsumePartitions(from), kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.FetchMaxPartitionBytes(fetchBytes), kgo.FetchMaxBytes(fetchBytes), kgo.FetchMaxWait(fetchWait), kgo.MaxDecompressBatchBytes(unpackedBytes),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), // a producer's transaction that was given up did not happen
		kgo.KeepControlRecords())                     // they have offsets too, which a position must pass
	if err != nil {
		return nil, err
	}
	return &reader{client: client, source: source}, nil
}

// read waits for events, at most so many, and tells where the partition ends. After a while there are none.
func (r *reader) read(ctx context.Context, most int) (records []*kgo.Record, end int64, err error) {
	waiting, cancel := context.WithTimeout(ctx, quietFor)
	defer cancel()
	fetches := r.client.PollRecords(waiting, most)
	switch {
	case ctx.Err() != nil:
		return nil, 0, ctx.Err()
	case errors.Is(fetches.Err0(), context.DeadlineExceeded):
		return nil, 0, nil
	}
	return r.sort(fetches)
}

// sort takes events and errors out of what was fetched. What the client itself tells, such as a loss of data, comes with no
// topic's id.
func (r *reader) sort(fetches kgo.Fetches) (records []*kgo.Record, end int64, err error) {
	for _, f := range fetches {
		for _, t := range f.Topics {
			if t.TopicID != r.source.TopicID && t.TopicID != [16]byte{} && t.Topic == r.source.Topic {
				return nil, 0, fmt.Errorf("read partition %d: %w", r.source.Partition, errRecreated)
			}
			for _, p := range t.Partitions {
				records, end = append(records, p.Records...), max(end, p.LastStableOffset)
				err = errors.Join(err, p.Err)
			}
		}
	}
	if swollen, ok := errors.AsType[*kgo.ErrDecompressTooLarge](err); ok {
		return nil, 0, &swollenError{from: swollen.Offset, next: swollen.NextOffset, partition: r.source.Partition}
	}
	if err != nil {
		return nil, 0, &brokerError{fmt.Sprintf("read partition %d", r.source.Partition), "Read on topic " + r.source.Topic, err}
	}
	return records, end, nil
}

// swollenError is of a batch that is too large when it is unpacked. Only a person can say what is to become of it: it may be
// thousands of good events, and nobody can read which.
type swollenError struct {
	from, next int64
	partition  int32
}

func (e *swollenError) Error() string {
	return fmt.Sprintf("the producer's batch at offsets %d to %d holds more than %d MiB when it is unpacked", e.from, e.next-1, unpackedBytes>>20)
}

func (e *swollenError) advice() string {
	return fmt.Sprintf("it stands until a person decides: producers must send smaller batches, and `rating rewind --to %d --partition %d --while-consumed --yes` "+
		"goes on without this one", e.next, e.partition)
}

func (r *reader) close() { r.client.Close() }
