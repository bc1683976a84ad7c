package ratingingestor

import (
	"fmt"

	"movieexample.com/fleet/controllers/internal/kafka"
)

// named is how many partitions are named in a sentence at most: a topic may have thousands.
const named = 10

// removed are the records that the topic has no more and that the group has not taken, and a sentence of which partitions;
// empty where there are none. The sentence has no numbers that change from look to look.
func removed(partitions []kafka.Partition) (sentence string, records int64) {
	var where []int32
	for _, p := range partitions {
		if n := p.Removed(); n > 0 {
			where, records = append(where, p.Number), records+n
		}
	}
	if len(where) == 0 {
		return "", 0
	}
	more := ""
	if n := len(where) - named; n > 0 {
		where, more = where[:named], fmt.Sprintf(" and %d more", n)
	}
	return fmt.Sprintf("the topic has removed records of partitions %v%s before the group committed them, and they are lost: raise its retention.ms or "+
		"retention.bytes, and see why the group is so late", where, more), records
}
