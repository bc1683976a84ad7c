package ingest

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"movieexample.com/fleet/services/rating/internal/model"
)

// A shadow does all that a consumer does with events up to the database, and leaves no trace: it has all partitions without
// being a member of the group, knows its positions itself, and throws letters away.

// readAlong is the outcome of a good event that a shadow has read: whether it would be stale only the database knows.
const readAlong model.Outcome = -1

// sightings is the [Store] of a shadow: it knows how far it has read, and forgets what.
type sightings struct {
	mu   sync.Mutex
	next map[model.Source]int64
}

func newSightings() *sightings { return &sightings{next: map[model.Source]int64{}} }

// none is true before the shadow has begun with any partition.
func (s *sightings) none() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.next) == 0
}

func (s *sightings) Position(_ context.Context, source model.Source) (int64, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next, found := s.next[source]
	return next, found, nil
}

func (s *sightings) Begin(_ context.Context, source model.Source, next int64) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at, found := s.next[source]; found {
		return at, nil
	}
	s.next[source] = next
	return next, nil
}

// Hold notes nothing: what a shadow has read needs not be read again.
func (s *sightings) Hold(context.Context, model.Source, string, int64, time.Time) error { return nil }

func (s *sightings) Ingest(_ context.Context, span model.Span, writes []model.Write, _ time.Time) ([]model.Outcome, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next[span.Source] = span.Next
	outcomes := make([]model.Outcome, len(writes))
	for i := range outcomes {
		outcomes[i] = readAlong
	}
	return outcomes, nil
}

func (s *sightings) Rewind(_ context.Context, source model.Source, next int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next[source] = next
	return nil
}

// nowhere takes letters and throws them away.
type nowhere struct{}

func (nowhere) ProduceSync(_ context.Context, records ...*kgo.Record) kgo.ProduceResults {
	results := make(kgo.ProduceResults, len(records))
	for i, r := range records {
		results[i].Record = r
	}
	return results
}

func (nowhere) PurgeTopicsFromProducing(...string) {}

// assignAll gives the shadow all partitions of the topic, and those that come later when they come.
func (m *member) assignAll(ctx context.Context) {
	for ctx.Err() == nil {
		ends, err := m.presentEnds(ctx)
		if err == nil {
			m.assignNew(ctx, ends)
			m.setJoined(true)
		} else {
			m.trouble.tell(ctx, "The topic cannot be looked at", &brokerError{"ask where it ends", "Describe on topic " + m.Topic, err})
		}
		sleep(ctx, lookEvery)
	}
}

// presentEnds are where all partitions end; of none where that of one is not known.
func (m *member) presentEnds(ctx context.Context) (kadm.ListedOffsets, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	ends, err := m.admin.ListCommittedOffsets(ctx, m.Topic)
	if err == nil {
		err = ends.Error()
	}
	return ends, err
}

// assignNew begins with the partitions that the shadow does not have. What was there before it is of no interest to it; a
// partition, or a topic, that comes while it reads is new as a whole.
func (m *member) assignNew(ctx context.Context, ends kadm.ListedOffsets) {
	first := m.seen.none()
	var ids []int32
	ends.Each(func(end kadm.ListedOffset) {
		if len(m.those([]int32{end.Partition})) > 0 {
			return
		}
		ids = append(ids, end.Partition)
		if first {
			_, _ = m.seen.Begin(ctx, m.source(end.Partition), end.Offset) // in memory: it cannot fail
		}
	})
	if len(ids) > 0 {
		m.Log.InfoContext(ctx, "Partitions are read along", "partitions", ids)
		m.work(ids)
	}
}

// tellShadow shows whether the instance is a shadow, so that sums over instances can leave it out.
func tellShadow(registerer prometheus.Registerer, shadow bool) {
	gauge := promauto.With(registerer).NewGauge(prometheus.GaugeOpts{
		Name: "ingest_shadow", Help: "1 where the instance reads along and stores nothing, else 0.",
	})
	if shadow {
		gauge.Set(1)
	}
}
