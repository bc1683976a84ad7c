package plan

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestConsumerSteps: how fine a consumer's steps are depends on its pods, whatever is asked for: one pod of a canary beside one of
// stable's reads half of the partitions.
func TestConsumerSteps(t *testing.T) {
	fine := []int32{1, 2, 3, 6}
	for name, c := range map[string]struct {
		replicas, partitions int32
		steps                []int32
		want                 []step
	}{
		"one pod":               {1, 12, nil, []step{{50, 1, false}}},
		"one pod, finer steps":  {1, 12, fine, []step{{50, 1, false}}},
		"three pods":            {3, 12, nil, []step{{25, 1, false}, {50, 3, false}}},
		"five pods":             {5, 12, fine, []step{{17, 1, false}, {29, 2, false}, {50, 5, false}}},
		"a pod for a partition": {12, 12, fine, []step{{8, 1, false}, {17, 2, false}, {25, 3, false}, {50, 6, false}}},
		"one partition":         {1, 1, fine, []step{{100, 1, false}}},
	} {
		t.Run(name, func(t *testing.T) {
			got := consumerSteps(Policy{Partitions: c.partitions, Steps: c.steps}, c.replicas)
			if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(step{})); diff != "" {
				t.Errorf("consumerSteps (-want +got):\n%s", diff)
			}
		})
	}
}
