package ingest

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"movieexample.com/fleet/services/rating/internal/deadletter"
	"movieexample.com/fleet/services/rating/internal/event"
	"movieexample.com/fleet/services/rating/internal/model"
)

// What became of an event, as metrics name it. Each ends in one of the first four; a try that fails is counted besides.
const (
	outcomeApplied      = "applied"
	outcomeStale        = "stale"
	outcomeDuplicate    = "duplicate"
	outcomeDeadLettered = "dead_lettered"
	outcomeFailed       = "failed"
)

func causes() []string {
	return []string{
		event.CauseUnparsable, event.CauseInvalid, event.CauseUnknownType, event.CauseUnsupportedVersion,
		deadletter.CauseExpired, deadletter.CausePanic,
	}
}

type metrics struct {
	events     *prometheus.CounterVec
	letters    *prometheus.CounterVec
	size       prometheus.Histogram
	seconds    prometheus.Histogram
	rebalances prometheus.Counter
	fenced     prometheus.Counter
	missed     prometheus.Counter
}

// newMetrics registers them; measure tells of each partition when it is asked. It panics if they are registered already:
// that is a mistake of the program.
func newMetrics(registerer prometheus.Registerer, measure func() []measured) *metrics {
	f := promauto.With(registerer)
	counter := func(name, help string) prometheus.Counter {
		return f.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	m := &metrics{
		events: f.NewCounterVec(prometheus.CounterOpts{
			Name: "ingest_events_total",
			Help: "Events by what became of them; failed are tries, after which the event is tried again.",
		}, []string{"outcome"}),
		letters: f.NewCounterVec(prometheus.CounterOpts{
			Name: "ingest_dead_letters_total", Help: "Events that could not be taken and wait on the topic of dead letters.",
		}, []string{"cause"}),
		size: f.NewHistogram(prometheus.HistogramOpts{
			Name: "ingest_batch_events", Help: "Events of one transaction.", Buckets: prometheus.ExponentialBuckets(1, 4, 8),
		}),
		seconds: f.NewHistogram(prometheus.HistogramOpts{
			Name: "ingest_batch_seconds", Help: "Time until a batch was stored, dead letters included.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 15),
		}),
		rebalances: counter("ingest_rebalances_total", "Times that the group gave out its partitions anew."),
		fenced:     counter("ingest_fenced_total", "Batches given up because somebody else had moved the partition's position."),
		missed:     counter("ingest_missed_total", "Offsets that the topic had removed before they were consumed."),
	}
	for _, outcome := range []string{outcomeApplied, outcomeStale, outcomeDuplicate, outcomeDeadLettered, outcomeFailed} {
		m.events.WithLabelValues(outcome)
	}
	for _, cause := range causes() {
		m.letters.WithLabelValues(cause)
	}
	registerer.MustRegister(newCollector(measure))
	return m
}

func (m *metrics) batch(events int, took time.Duration) {
	m.size.Observe(float64(events))
	m.seconds.Observe(took.Seconds())
}

func (m *metrics) failed(items []item) {
	n := 0
	for i := range items {
		if items[i].event() {
			n++
		}
	}
	m.events.WithLabelValues(outcomeFailed).Add(float64(n))
}

// consumed counts what is in the database, or beyond it for good.
func (m *metrics) consumed(items []item, outcomes []model.Outcome) {
	counts := map[model.Outcome]int{}
	for _, o := range outcomes {
		counts[o]++
	}
	for outcome, name := range map[model.Outcome]string{
		model.Applied: outcomeApplied, model.Stale: outcomeStale, model.Duplicate: outcomeDuplicate,
	} {
		m.events.WithLabelValues(name).Add(float64(counts[outcome]))
	}
	for i := range items {
		if letter := items[i].letter; letter != nil {
			m.events.WithLabelValues(outcomeDeadLettered).Inc()
			m.letters.WithLabelValues(letter.Cause).Inc()
		}
	}
}

// measured is how one partition stands.
type measured struct {
	partition int32
	next, lag int64
	oldest    time.Duration
	known     bool // the database has said where the partition is
}

// measure is how all partitions stand that the member has.
func (c *Consumer) measure() []measured {
	var all []measured
	for _, p := range c.list() {
		m := measured{partition: p.source.Partition}
		m.next, m.lag, m.oldest, m.known = p.place.lag(c.Now())
		all = append(all, m)
	}
	return all
}

// collector shows partitions while the member has them: a series ends when its partition goes.
type collector struct {
	measure                       func() []measured
	assigned, lag, oldest, offset *prometheus.Desc
}

func newCollector(measure func() []measured) *collector {
	of := []string{"partition"}
	return &collector{
		measure:  measure,
		assigned: prometheus.NewDesc("ingest_partitions", "Partitions that this instance has.", nil, nil),
		lag:      prometheus.NewDesc("ingest_lag_records", "Offsets of the partition that are not in the database yet.", of, nil),
		oldest:   prometheus.NewDesc("ingest_oldest_seconds", "Age of the partition's oldest event that is not in the database; 0 if there is none.", of, nil),
		offset:   prometheus.NewDesc("ingest_next_offset", "Offset at which the database is.", of, nil),
	}
}

// Describe implements [prometheus.Collector].
func (c *collector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.assigned, c.lag, c.oldest, c.offset} {
		to <- d
	}
}

// Collect implements [prometheus.Collector].
func (c *collector) Collect(to chan<- prometheus.Metric) {
	all := c.measure()
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	gauge(c.assigned, float64(len(all)))
	for _, m := range all {
		if m.known {
			label := strconv.Itoa(int(m.partition))
			gauge(c.lag, float64(m.lag), label)
			gauge(c.oldest, m.oldest.Seconds(), label)
			gauge(c.offset, float64(m.next), label)
		}
	}
}
