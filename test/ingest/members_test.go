//go:build integration

package ingest_test

import (
	"context"
	"fmt"
	"testing"
	"time"
)

// Consumers that come and go in order while events flow hand over what they have: none is lost or done twice.
func TestRebalanceStorms(t *testing.T) {
	for _, protocol := range []string{"classic", "consumer"} {
		t.Run(protocol, func(t *testing.T) {
			w, s := newWorld(t, 6), newStream(500, 200)
			f := &fleet{w: w}
			f.start(t, "--ingest.protocol="+protocol)
			sent := s.sending(t, broker, w.topic, times(t, 30_000), 4000)
			for flowing := true; flowing; {
				select {
				case err := <-sent:
					wantSent(t, err)
					flowing = false
				case <-time.After(300 * time.Millisecond):
					f.start(t, "--ingest.protocol="+protocol).wantReady(t)
					f.running[0].end(t)
					f.running = f.running[1:]
				}
			}
			w.wantConsumed(t, patience)
			s.check(t, w)
		})
	}
}

// Of more consumers than partitions some have nothing to do, are ready all the same, and take over when they are needed.
func TestMoreConsumersThanPartitions(t *testing.T) {
	w, s := newWorld(t, 1), newStream(100, 50)
	f := &fleet{w: w}
	for range 3 {
		f.start(t).wantReady(t)
	}
	s.send(t, broker, w.topic, 2000, 0)
	w.wantConsumed(t, patience)
	s.check(t, w)
	owner := -1
	eventually(t, patience, func(context.Context) error {
		sum := 0.0
		for i, c := range f.running {
			n := c.metric(t, "ingest_partitions")
			if sum += n; n == 1 {
				owner = i
			}
		}
		if sum != 1 {
			return fmt.Errorf("the consumers have %v partitions together, want the one that there is", sum)
		}
		return nil
	})
	f.running[owner].end(t)
	s.send(t, broker, w.topic, 1000, 0)
	w.wantConsumed(t, patience)
	s.check(t, w)
}
