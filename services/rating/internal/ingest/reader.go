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
		kgo.FetchMaxPartitionBytes(fetchBytes), kgo.FetchMaxBytes(fetchBytes), kgo.FetchMaxWait(fetchWait),
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
	for _, f := range fetches {
		for _, t := range f.Topics {
			if t.TopicID != r.source.TopicID && t.Topic == r.source.Topic {
				return nil, 0, fmt.Errorf("read partition %d: %w", r.source.Partition, errRecreated)
			}
			for _, p := range t.Partitions {
				records, end = append(records, p.Records...), max(end, p.LastStableOffset)
				err = errors.Join(err, p.Err)
			}
		}
	}
	if err != nil {
		return nil, 0, &brokerError{fmt.Sprintf("read partition %d", r.source.Partition), "Read on topic " + r.source.Topic, err}
	}
	return records, end, nil
}

func (r *reader) close() { r.client.Close() }
