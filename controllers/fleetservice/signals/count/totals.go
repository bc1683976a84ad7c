package count

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	dto "github.com/prometheus/client_model/go"

	"movieexample.com/fleet/controllers/fleetservice/signals"
)

type families map[string]*dto.MetricFamily

// totals are what one server's page says. The finding is about a latency that cannot be measured.
func (m Meaning) totals(page families) (totals map[string]signals.Total, finding string, err error) {
	totals = map[string]signals.Total{}
	if totals[signals.Errors], totals[signals.Refusals], err = m.outcomes(page); err != nil {
		return nil, "", err
	}
	if m.bound == 0 {
		return totals, "", nil
	}
	for _, name := range m.durations {
		family, there := page[name]
		if !there {
			continue
		}
		slow, buckets, err := slowIn(name, family, m.bound, served)
		if err != nil {
			return nil, "", err
		}
		if buckets != "" {
			return totals, fmt.Sprintf("objectives.latency.boundMilliseconds %g is no bucket of %s, which has %s (seconds): choose one of these", m.bound*1000, name, buckets), nil
		}
		totals[signals.Latency] = slow
		return totals, "", nil
	}
	return totals, "", nil
}

// served is true of what users asked for: health checks and reflection are not.
func served(metric *dto.Metric) bool {
	service := label(metric, "grpc_service")
	return service != "grpc.health.v1.Health" && !strings.HasPrefix(service, "grpc.reflection.") && label(metric, "grpc_type") != "bidi_stream"
}

// outcomes sums the first counter that the page has.
func (m Meaning) outcomes(page families) (failed, refused signals.Total, err error) {
	for _, c := range m.counters {
		family, there := page[c.name]
		if !there {
			continue
		}
		for _, metric := range family.GetMetric() {
			if !served(metric) {
				continue
			}
			n, err := whole(c.name, value(metric))
			if err != nil {
				return failed, refused, err
			}
			code := label(metric, c.label)
			failed.Requests, refused.Requests = failed.Requests+n, refused.Requests+n
			if c.errors.match(code) {
				failed.Bad += n
			}
			if c.refusals.match(code) {
				refused.Bad += n
			}
		}
		return failed, refused, nil
	}
	return failed, refused, nil
}

// started is how many calls began, and whether the page tells.
func started(page families) (int64, bool, error) {
	family, there := page[grpcStarted]
	if !there {
		return 0, false, nil
	}
	sum := int64(0)
	for _, metric := range family.GetMetric() {
		if !served(metric) || label(metric, "grpc_type") != "unary" {
			continue
		}
		n, err := whole(grpcStarted, value(metric))
		if err != nil {
			return 0, false, err
		}
		sum += n
	}
	return sum, true, nil
}

// slowIn counts the answers above a bound. Where the bound is no bucket, it returns the buckets that there are.
func slowIn(name string, family *dto.MetricFamily, bound float64, counts func(*dto.Metric) bool) (signals.Total, string, error) {
	var total signals.Total
	for _, metric := range family.GetMetric() {
		h := metric.GetHistogram()
		if h == nil || !counts(metric) {
			continue
		}
		i := slices.IndexFunc(h.GetBucket(), func(b *dto.Bucket) bool { return math.Abs(b.GetUpperBound()-bound) < 1e-9 })
		if i < 0 {
			return signals.Total{}, bounds(h), nil
		}
		all, within := h.GetSampleCount(), h.GetBucket()[i].GetCumulativeCount()
		if within > all || all > 1<<53 {
			return signals.Total{}, "", fmt.Errorf("%s counts %d answers within %g s of %d in all", name, within, bound, all)
		}
		total.Requests += int64(all)     //nolint:gosec // bounded above
		total.Bad += int64(all - within) //nolint:gosec // bounded above
	}
	return total, "", nil
}

func bounds(h *dto.Histogram) string {
	var list []string
	for _, b := range h.GetBucket() {
		if !math.IsInf(b.GetUpperBound(), 0) {
			list = append(list, strconv.FormatFloat(b.GetUpperBound(), 'g', -1, 64))
		}
	}
	return strings.Join(list, ", ")
}

// called are a caller's outcomes by revision, of the upstreams named.
func (m Meaning) called(page families, upstreams []string) (map[string]map[string]signals.Total, error) {
	out := map[string]map[string]signals.Total{}
	add := func(revision, signal string, t signals.Total) {
		if revision == "" {
			return // no instance is known to have got it
		}
		if out[revision] == nil {
			out[revision] = map[string]signals.Total{}
		}
		have := out[revision][signal]
		out[revision][signal] = signals.Total{Requests: have.Requests + t.Requests, Bad: have.Bad + t.Bad}
	}
	of := func(metric *dto.Metric) bool { return slices.Contains(upstreams, label(metric, "target")) }
	for _, name := range []string{calledHandled, unreachable} {
		for _, metric := range page[name].GetMetric() {
			if !of(metric) {
				continue
			}
			n, err := whole(name, value(metric))
			if err != nil {
				return nil, err
			}
			code, failed, refused := label(metric, "code"), signals.Total{Requests: n}, signals.Total{Requests: n}
			if name == unreachable || grpcErrors.match(code) {
				failed.Bad = n
			} else if grpcRefusals.match(code) {
				refused.Bad = n
			}
			add(label(metric, "revision"), signals.Errors, failed)
			add(label(metric, "revision"), signals.Refusals, refused)
		}
	}
	return out, m.calledSlow(page, of, add)
}

func (m Meaning) calledSlow(page families, of func(*dto.Metric) bool, add func(revision, signal string, t signals.Total)) error {
	if m.bound == 0 || page[calledSeconds] == nil {
		return nil
	}
	for _, metric := range page[calledSeconds].GetMetric() {
		one := &dto.MetricFamily{Metric: []*dto.Metric{metric}}
		slow, buckets, err := slowIn(calledSeconds, one, m.bound, of)
		if err != nil {
			return err
		}
		if buckets == "" && of(metric) {
			add(label(metric, "revision"), signals.Latency, slow)
		}
	}
	return nil
}

func value(metric *dto.Metric) float64 {
	if c := metric.GetCounter(); c != nil {
		return c.GetValue()
	}
	return metric.GetUntyped().GetValue()
}

func label(metric *dto.Metric, name string) string {
	for _, l := range metric.GetLabel() {
		if l.GetName() == name {
			return l.GetValue()
		}
	}
	return ""
}
