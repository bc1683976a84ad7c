package ratingingestor

import (
	"strings"
	"testing"

	"movieexample.com/fleet/controllers/internal/kafka"
)

// TestRemoved: what retention removed before the group took it is lost; what was taken, or of a group that has not begun, is not.
func TestRemoved(t *testing.T) {
	many := make([]kafka.Partition, 25)
	for n := range many {
		many[n] = kafka.Partition{Number: int32(n), Start: 2, End: 2, Committed: 1}
	}
	for name, c := range map[string]struct {
		partitions []kafka.Partition
		records    int64
		want       string
	}{
		"nothing":       {partitions: []kafka.Partition{{Start: 0, End: 9, Committed: 3}}},
		"all was taken": {partitions: []kafka.Partition{{Start: 9, End: 9, Committed: 9}}},
		"not begun":     {partitions: []kafka.Partition{{Start: 5, End: 9, Committed: -1}}},
		"some is lost":  {partitions: []kafka.Partition{{Number: 2, Start: 5, End: 9, Committed: 3}, {Number: 3}, {Number: 7, Start: 8, End: 8}}, records: 10, want: "records of partitions [2 7] before"},
		"of many":       {partitions: many, records: 25, want: "[0 1 2 3 4 5 6 7 8 9] and 15 more before"},
	} {
		t.Run(name, func(t *testing.T) {
			sentence, records := removed(c.partitions)
			if records != c.records || (sentence == "") != (c.want == "") || !strings.Contains(sentence, c.want) {
				t.Errorf("removed() = %q, %d, want %q in it, and %d", sentence, records, c.want, c.records)
			}
		})
	}
}
