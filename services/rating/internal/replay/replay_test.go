package replay

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"movieexample.com/fleet/services/rating/internal/deadletter"
)

func TestFilter(t *testing.T) {
	noon := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	letter := deadletter.Letter{Cause: deadletter.CausePanic}
	for name, c := range map[string]struct {
		filter Filter
		want   bool
	}{
		"all":           {Filter{}, true},
		"its cause":     {Filter{Causes: []string{"invalid", "panic"}}, true},
		"another cause": {Filter{Causes: []string{"invalid"}}, false},
		"since then":    {Filter{Since: noon}, true},
		"since later":   {Filter{Since: noon.Add(1)}, false},
		"until then":    {Filter{Until: noon}, false},
		"until later":   {Filter{Until: noon.Add(1)}, true},
	} {
		if got := c.filter.means(letter, noon); got != c.want {
			t.Errorf("%s: means() = %v, want %v", name, got, c.want)
		}
	}
	for name, c := range map[string]struct {
		filter Filter
		good   bool
	}{
		"nothing said":     {Filter{}, true},
		"causes":           {Filter{Causes: []string{"expired", "unparsable"}}, true},
		"no cause":         {Filter{Causes: []string{"bad"}}, false},
		"an hour":          {Filter{Since: noon, Until: noon.Add(time.Hour)}, true},
		"an hour backward": {Filter{Since: noon, Until: noon.Add(-time.Hour)}, false},
	} {
		if err := c.filter.Check(); (err == nil) != c.good {
			t.Errorf("%s: Check() = %v, want it good: %v", name, err, c.good)
		}
	}
}

// A replay ends though the last letter that there was when it began never comes: it was compacted away, and a later one comes
// in its place, or retention removed all letters of its partition. Letters that were written since are left alone.
func TestReplayEndsWithoutItsLastLetter(t *testing.T) {
	letters := func(offsets ...int64) kgo.Fetches {
		p := kgo.FetchPartition{Partition: 0}
		for _, offset := range offsets {
			p.Records = append(p.Records, &kgo.Record{Topic: "dlq", Partition: 0, Offset: offset})
		}
		return kgo.Fetches{{Topics: []kgo.FetchTopic{{Topic: "dlq", Partitions: []kgo.FetchPartition{p}}}}}
	}
	for name, c := range map[string]struct {
		polls []kgo.Fetches
		start int64 // by the time that nothing comes any more
		err   error // of asking for it
		want  Counts
	}{
		"it comes":            {polls: []kgo.Fetches{letters(3, 4), letters(8, 9)}, want: Counts{Other: 4}},
		"a later one comes":   {polls: []kgo.Fetches{letters(3, 4), letters(8, 12)}, want: Counts{Other: 3}},
		"only later ones":     {polls: []kgo.Fetches{letters(10)}},
		"all were removed":    {polls: []kgo.Fetches{letters(3)}, start: 10, want: Counts{Other: 1}},
		"some were removed":   {polls: []kgo.Fetches{letters(3), nil, letters(9)}, start: 6, want: Counts{Other: 2}},
		"and later ones came": {start: 15},
		"the topic is gone":   {polls: []kgo.Fetches{letters(3)}, err: kerr.UnknownTopicOrPartition, want: Counts{Other: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				r := &run{pretend: true, todo: map[int32]stretch{0: {3, 10}}}
				poll := func(ctx context.Context) kgo.Fetches {
					if len(c.polls) == 0 || c.polls[0] == nil {
						<-ctx.Done()
						c.polls = c.polls[min(1, len(c.polls)):]
						return kgo.NewErrFetch(ctx.Err())
					}
					next := c.polls[0]
					c.polls = c.polls[1:]
					return next
				}
				err := r.all(ctx, poll, func(context.Context) (kadm.ListedOffsets, error) {
					return kadm.ListedOffsets{"dlq": {0: {Topic: "dlq", Offset: c.start, Err: c.err}}}, nil
				})
				if diff := cmp.Diff(c.want, r.counts); !errors.Is(err, c.err) || diff != "" {
					t.Errorf("all() = %v, counts (-want +got):\n%s", err, diff)
				}
			})
		})
	}
}
