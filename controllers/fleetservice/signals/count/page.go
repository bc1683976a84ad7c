package count

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	dto "github.com/prometheus/client_model/go"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/fleetservice/signals"
)

type families map[string]*dto.MetricFamily

// outcome is what one counter of answers says.
type outcome struct {
	failed, refused signals.Total
	// split is what of it belongs to which partition; nil where it is not asked for or not told.
	split map[int32]outcome
}

// slowness is what one histogram says.
type slowness struct {
	late signals.Total
	// unusable says why the bound cannot be judged by it; zero when it can.
	unusable Findings
}

// server is what one page of the service says, by the metrics' names. What the page does not show is absent.
type server struct {
	outcomes map[string]outcome
	slow     map[string]slowness
	// started and handled are unary calls of gRPC; they are of use only where tells is true.
	started, handled int64
	tells            bool
	partitions       map[int32]signals.Partition
	waits            string
}

// read says what a page of the service says. A value that is no number of requests makes the whole page unbelievable: left
// out alone, it might be the one that speaks against a release.
func (m Meaning) read(page families) (server, error) {
	s := server{outcomes: map[string]outcome{}, slow: map[string]slowness{}}
	for _, c := range m.counters {
		o, shown, err := c.read(page[c.name], m.partitions)
		if err != nil {
			return server{}, err
		}
		if shown {
			s.outcomes[c.name] = o
		}
	}
	if m.partitions {
		s.partitions, s.waits = partitionsIn(page), waitsIn(page)
	}
	if err := m.readCalls(page, &s); err != nil || m.bound == 0 {
		return s, err
	}
	for _, name := range m.durations {
		slow, shown, err := slowIn(name, page[name], m.bound, unary)
		if err != nil {
			return server{}, err
		}
		if shown {
			s.slow[name] = slow
		}
	}
	return s, nil
}

// read sums a counter by code, split by partition too if asked. It is shown when it has a series that counts.
func (c counter) read(family *dto.MetricFamily, split bool) (o outcome, shown bool, err error) {
	for _, metric := range family.GetMetric() {
		if !asked(metric) {
			continue
		}
		n, err := whole(c.name, metric)
		if err != nil {
			return outcome{}, false, err
		}
		one := c.means(label(metric, c.label), n)
		shown = true
		o = o.plus(one)
		if split {
			o.put(metric, one)
		}
	}
	return o, shown, nil
}

// means is what so many answers with a code are.
func (c counter) means(code string, n int64) outcome {
	o := outcome{failed: signals.Total{Requests: n}, refused: signals.Total{Requests: n}}
	if c.errors.match(code) {
		o.failed.Bad = n
	}
	if c.refusals.match(code) {
		o.refused.Bad = n
	}
	return o
}

// readCalls reads how many calls of gRPC began and ended. A counter of answers has no series before the first answer: where
// calls began and none ended, it is there all the same.
func (m Meaning) readCalls(page families, s *server) error {
	if !m.counts(grpcHandled) {
		return nil
	}
	for _, name := range []string{grpcStarted, grpcHandled} {
		sum := int64(0)
		for _, metric := range page[name].GetMetric() {
			if !unary(metric) {
				continue
			}
			n, err := whole(name, metric)
			if err != nil {
				return err
			}
			sum += n
			s.tells = s.tells || name == grpcStarted
		}
		s.started, s.handled = s.handled, sum
	}
	if _, shown := s.outcomes[grpcHandled]; s.tells && !shown {
		s.outcomes[grpcHandled] = outcome{}
	}
	return nil
}

// slowIn counts the answers above a bound.
func slowIn(name string, family *dto.MetricFamily, bound float64, counts func(*dto.Metric) bool) (s slowness, shown bool, err error) {
	for _, metric := range family.GetMetric() {
		if !counts(metric) {
			continue
		}
		shown = true
		h := metric.GetHistogram()
		if h == nil {
			return slowness{unusable: Findings{v1alpha1.ReasonNotAHistogram, fmt.Sprintf("%s is a %s, and latency is counted in the buckets of a histogram: "+
				"make it one, or name another in signals.metrics.durations", name, strings.ToLower(family.GetType().String()))}}, true, nil
		}
		i := slices.IndexFunc(h.GetBucket(), func(b *dto.Bucket) bool { return math.Abs(b.GetUpperBound()-bound) < 1e-9 })
		if i < 0 {
			return slowness{unusable: Findings{v1alpha1.ReasonNotABucket, fmt.Sprintf("objectives.latency.boundMilliseconds: %g ms is no bucket of %s: "+
				"choose one of its %s", bound*1000, name, bounds(h))}}, true, nil
		}
		all, within := h.GetSampleCount(), h.GetBucket()[i].GetCumulativeCount()
		if h.SampleCountFloat != nil || within > all || all > most {
			return slowness{}, false, fmt.Errorf("%s does not count answers: %d within %g s of %d in all, or parts of one", name, within, bound, all)
		}
		s.late.Requests += int64(all)
		s.late.Bad += int64(all - within)
	}
	return s, shown, nil
}

// bounds are the buckets of a histogram in milliseconds, as many as a person wants to read.
func bounds(h *dto.Histogram) string {
	var list []string
	for _, b := range h.GetBucket() {
		if !math.IsInf(b.GetUpperBound(), 0) && len(list) < 32 {
			list = append(list, strconv.FormatFloat(b.GetUpperBound()*1000, 'g', 6, 64))
		}
	}
	if len(list) == 0 {
		return "buckets (it has none)"
	}
	return strings.Join(list, ", ") + " ms"
}

// asked is true of what users asked for: probes, scrapes and reflection are not.
func asked(metric *dto.Metric) bool {
	for _, l := range metric.GetLabel() {
		switch l.GetName() {
		case "grpc_service":
			if s := l.GetValue(); s == "grpc.health.v1.Health" || strings.HasPrefix(s, "grpc.reflection.") || strings.HasPrefix(s, "grpc.channelz.") {
				return false
			}
		case "path", "route", "handler", "uri", "endpoint":
			switch l.GetValue() {
			case "/metrics", "/healthz", "/readyz", "/livez", "/health", "/ready", "/live":
				return false
			}
		}
	}
	return true
}

// unary is true of calls with one answer, the only ones that can be late.
func unary(metric *dto.Metric) bool {
	kind := label(metric, "grpc_type")
	return asked(metric) && (kind == "" || kind == "unary")
}

// most bounds what one series may say, so that what a page says can be summed.
const most = 1 << 48

// whole reads a counter's value: a whole number of requests.
func whole(name string, metric *dto.Metric) (int64, error) {
	var v float64
	switch {
	case metric.Counter != nil:
		v = metric.GetCounter().GetValue()
	case metric.Untyped != nil:
		v = metric.GetUntyped().GetValue()
	case metric.Gauge != nil: // what some programs call their counters
		v = metric.GetGauge().GetValue()
	default:
		return 0, fmt.Errorf("%s is no counter", name)
	}
	if math.IsNaN(v) || v < 0 || v > most || v != math.Trunc(v) {
		return 0, fmt.Errorf("%s has the value %g, which is no number of requests", name, v)
	}
	return int64(v), nil
}

func label(metric *dto.Metric, name string) string {
	for _, l := range metric.GetLabel() {
		if l.GetName() == name {
			return l.GetValue()
		}
	}
	return ""
}
