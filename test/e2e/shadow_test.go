//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"movieexample.com/fleet/api/v1alpha1"
)

// readsAlong releases an ingestor that breaks on one event in ten, which reads along first: it is taken back without ever
// having had a partition, and with no dead letter.
func readsAlong(f *fleet, good string) {
	f.t.Helper()
	kafka := f.kafka()
	before := f.records(kafka, "ratings.dlq")
	f.patchIngestor(`{"rollout":{"shadow":true},"env":[{"name":"FLEET_FAULT","value":"event=0.1"}]}`)
	f.eventually(2*time.Minute, "the shadow is taken back", func() (bool, string) {
		st := f.service("ratings").Status
		if st.Rollout != nil && st.Rollout.Weight > 0 || st.Traffic != nil && st.Traffic.Other != "" {
			f.t.Fatalf("the release was given partitions: %+v %+v", st.Rollout, st.Traffic)
		}
		return st.Rejected != nil && st.Canary == nil && st.Stable.Hash == good, fmt.Sprintf("%s %+v", st.Phase, st.Rollout)
	})
	rejected := f.service("ratings").Status.Rejected
	if rejected.Reason != v1alpha1.ReasonWorse || !strings.Contains(rejected.Message, "no event is affected") {
		f.t.Errorf("rejected = %+v, want Worse and that no event is affected", rejected)
	}
	if after := f.records(kafka, "ratings.dlq"); after != before {
		f.t.Errorf("there are %d dead letters, want the %d of before the release", after, before)
	}
	f.t.Logf("taken back before it had a partition: %s", rejected.Message)
	f.patchIngestor(`{"rollout":{"shadow":null},"env":null}`)
	f.eventually(time.Minute, "the spec returned", func() (bool, string) {
		st := f.service("ratings").Status
		return st.Rejected == nil && st.Phase == "Serving", fmt.Sprintf("%s %+v", st.Phase, st.Rejected)
	})
}

// kafka asks the broker what the ingestor may ask, until the test ends.
func (f *fleet) kafka() *kadm.Client {
	f.t.Helper()
	servers := f.binding("rating-kafka", "bootstrap-servers")
	broker := f.reach(servers)
	client, err := kgo.NewClient(kgo.SeedBrokers(servers),
		kgo.SASL(scram.Auth{User: f.binding("rating-kafka", "username"), Pass: f.binding("rating-kafka", "password")}.AsSha512Mechanism()),
		kgo.Dialer(func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, broker)
		}))
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(client.Close)
	return kadm.NewClient(client)
}

// records is how many records a topic has had, whoever wrote them.
func (f *fleet) records(kafka *kadm.Client, topic string) (sum int64) {
	f.t.Helper()
	ends, err := kafka.ListEndOffsets(f.t.Context(), topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		f.t.Fatalf("ask where %s ends: %v", topic, err)
	}
	ends.Each(func(end kadm.ListedOffset) { sum += end.Offset })
	return sum
}
