package count

import (
	"strconv"

	"movieexample.com/fleet/controllers/fleetservice/signals"
)

// mostPartitions bounds what one page may tell of.
const mostPartitions = 10000

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
