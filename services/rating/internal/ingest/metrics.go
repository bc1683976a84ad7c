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

// What became of an event, as metrics name it. Each ends in one of the first five; that tries failed before is counted once besides.
const (
	outcomeApplied      = "applied"
	outcomeStale        = "stale"
	outcomeDuplicate    = "duplicate"
	outcomeDeadLettered = "dead_lettered"
	outcomeRead         = "read" // a good one, by a shadow
	outcomeFailed       = "failed"
)

func outcomes() []string {
	return []string{outcomeApplied, outcomeStale, outcomeDuplicate, outcomeDeadLettered, outcomeRead, outcomeFailed}
}

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
			Help: "Events by what this instance knows became of them; failed are those that could not be stored at once, and were tried again.",
		}, []string{"outcome", "partition"}),
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
		fenced:     counter("ingest_fenced_total", "Batches given up because the partition's position had moved: somebody else did it, or the answer to a commit was lost."),
		missed:     counter("ingest_missed_total", "Offsets that the topic had removed before they were consumed."),
	}
	m.show("") // there is no such partition: who has none yet shows all the same what it counts
	for _, cause := range causes() {
		m.letters.WithLabelValues(cause)
	}
	registerer.MustRegister(newCollector(measure))
	return m
}

// showWaiting shows what the consumer waits for.
func showWaiting(registerer prometheus.Registerer, a *away) {
	for _, what := range []string{forDatabase, forBroker} {
		promauto.With(registerer).NewGaugeFunc(prometheus.GaugeOpts{
			Name: "ingest_waiting", Help: "1 while the database or the brokers are away and tries fail for it, and for 10 s after, else 0.",
			ConstLabels: prometheus.Labels{"for": what},
		}, func() float64 {
			if a.waits(what) {
				return 1
			}
			return 0
		})
	}
}

// counts are the series of one partition. They stay when it goes to another member: counters never go back.
func (m *metrics) counts(partition int32) *prometheus.CounterVec {
	return m.events.MustCurryWith(prometheus.Labels{"partition": strconv.Itoa(int(partition))})
}

// show shows all outcomes of a partition before there are any.
func (m *metrics) show(partition string) {
	for _, outcome := range outcomes() {
		m.events.WithLabelValues(outcome, partition)
	}
}

func (m *metrics) batch(events int, took time.Duration) {
	m.size.Observe(float64(events))
	m.seconds.Observe(took.Seconds())
}

// failed counts each event at most once, however often it is tried: what judges a release by them takes each for a chance of
// its own, and an outage of a minute would be thousands.
func (m *metrics) failed(partition int32, items []item) {
	n := 0
	for i := range items {
		if items[i].event() && !items[i].failed {
			items[i].failed = true
			n++
		}
	}
	m.counts(partition).WithLabelValues(outcomeFailed).Add(float64(n))
}

// consumed counts what is in the database, or beyond it for good.
func (m *metrics) consumed(partition int32, items []item, outcomes []model.Outcome) {
	events, counts := m.counts(partition), map[model.Outcome]int{}
	for _, o := range outcomes {
		counts[o]++
	}
	for outcome, name := range map[model.Outcome]string{
		model.Applied: outcomeApplied, model.Stale: outcomeStale, model.Duplicate: outcomeDuplicate, readAlong: outcomeRead,
	} {
		events.WithLabelValues(name).Add(float64(counts[outcome]))
	}
	for i := range items {
		if letter := items[i].letter; letter != nil {
			events.WithLabelValues(outcomeDeadLettered).Inc()
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
