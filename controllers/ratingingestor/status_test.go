package ratingingestor

import (
	"testing"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/internal/kafka"
	"movieexample.com/fleet/controllers/ratingingestor/scaling"
)

// TestRateForPeople: a rate is written out, with two digits where it is small.
func TestRateForPeople(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 0.5: "0.5", 9.44: "9.4", 12.3: "12", 99.4: "99", 99.6: "100", 123456.7: "123457"} {
		if got := rate(v); got != want {
			t.Errorf("rate(%v) = %q, want %q", v, got, want)
		}
	}
}

// TestWhyScaled: who raised minReplicas is not told of a load and of a consumer of which nothing is known.
func TestWhyScaled(t *testing.T) {
	ri := &v1alpha1.RatingIngestor{Spec: v1alpha1.RatingIngestorSpec{Scaling: v1alpha1.IngestorScaling{MinReplicas: 3, MaxReplicas: 6}}}
	o := observation{ri: ri, kafka: &view{report: kafka.Report{Partitions: make([]kafka.Partition, 12)}}}
	p := &plan{rates: scaling.Rates{Produced: 500, Backlog: 7, PerConsumer: 100}}
	for from, want := range map[int32]string{
		1: "scaling allows 3 to 6, and there are 12 partitions", 9: "scaling allows 3 to 6, and there are 12 partitions",
		3: "500 records/s come, 7 wait, one consumer takes 100/s",
	} {
		if got := whyScaled(o, p, from); got != want {
			t.Errorf("whyScaled from %d = %q, want %q", from, got, want)
		}
	}
}
