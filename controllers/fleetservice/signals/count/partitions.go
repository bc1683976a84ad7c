package count

import (
	"strconv"

	dto "github.com/prometheus/client_model/go"

	"movieexample.com/fleet/controllers/fleetservice/signals"
)

// mostPartitions bounds what one page may tell of.
const mostPartitions = 10000

// mostSplit bounds of how many partitions a page's counts are kept apart: they are saved with the evidence.
const mostSplit = 1000

// plus adds what both say, but not by partition.
func (o outcome) plus(p outcome) outcome {
	o.failed, o.refused = plus(o.failed, p.failed), plus(o.refused, p.refused)
	return o
}

// put adds what one series says to its partition. What belongs to none, or to one too many, is only in the sum.
func (o *outcome) put(metric *dto.Metric, one outcome) {
	number, err := strconv.ParseInt(label(metric, "partition"), 10, 32)
	if before, there := o.split[int32(number)]; err == nil && (there || len(o.split) < mostSplit) {
		if o.split == nil {
			o.split = map[int32]outcome{}
		}
		o.split[int32(number)] = before.plus(one)
	}
}

// split are a page's sums by signal and partition; nil where its counters do not tell.
func (c choice) split(said server) map[string]map[int32]signals.Total {
	var all map[string]map[int32]signals.Total
	for _, counter := range c.counted {
		for number, o := range said.outcomes[counter.name].split {
			if all == nil {
				all = map[string]map[int32]signals.Total{signals.Errors: {}, signals.Refusals: {}}
			}
			all[signals.Errors][number] = plus(all[signals.Errors][number], o.failed)
			all[signals.Refusals][number] = plus(all[signals.Refusals][number], o.refused)
		}
	}
	return all
}

// waitsIn is what a consumer's page says that it waits for.
func waitsIn(page families) string {
	for _, what := range []string{signals.Database, signals.Broker} {
		for _, metric := range page[waiting].GetMetric() {
			if n, err := whole(waiting, metric); err == nil && n > 0 && label(metric, "for") == what {
				return what
			}
		}
	}
	return ""
}

// partitionsIn are the partitions that a consumer's page tells of. One whose numbers cannot be is left out: it tells
// nothing, neither good nor bad.
func partitionsIn(page families) map[int32]signals.Partition {
	found := map[int32]signals.Partition{}
	for _, metric := range page[nextOffset].GetMetric() {
		number, err := strconv.ParseInt(label(metric, "partition"), 10, 32)
		next, wrong := whole(nextOffset, metric)
		if err != nil || wrong != nil || len(found) == mostPartitions {
			continue
		}
		found[int32(number)] = signals.Partition{Next: next}
	}
	for _, metric := range page[lagRecords].GetMetric() {
		number, err := strconv.ParseInt(label(metric, "partition"), 10, 32)
		lag, wrong := whole(lagRecords, metric)
		if p, there := found[int32(number)]; err == nil && wrong == nil && there {
			p.Lag = lag
			found[int32(number)] = p
		}
	}
	return found
}
