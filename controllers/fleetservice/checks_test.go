package fleetservice

import (
	"runtime"
	"testing"
	"time"
	"weak"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/fleetservice/plan"
)

// TestRolloutLeavesNothingBehind: what a rollout's checks remember goes with the canary's share, and its evidence with the
// rollout.
func TestRolloutLeavesNothingBehind(t *testing.T) {
	r := New(nil, nil, nil, clocktesting.NewFakePassiveClock(time.Unix(1e9, 0)))
	fs := &v1alpha1.FleetService{ObjectMeta: metav1.ObjectMeta{Namespace: "movies", Name: "rating", UID: "1"}}
	fs.Spec.Signals = &v1alpha1.SignalPolicy{Prometheus: &v1alpha1.PrometheusSignal{
		URL: "http://127.0.0.1:1", Queries: []v1alpha1.PrometheusQuery{{Name: "errors", Query: "up", Max: "1"}},
	}}
	kept := &book{}
	r.memory.setBook(fs.UID, kept)
	at := func(canary string, percent int32) *scope {
		return &scope{fs: fs, observation: plan.Observation{State: plan.State{
			Stable: plan.Part{Hash: "aaaa"}, Canary: plan.Part{Hash: canary}, Percent: percent,
		}}}
	}
	s := at("cccc", 5)
	r.ask(s, kept)
	if s.observation.Evidence.Waiting == "" || kept.panel == nil {
		t.Fatalf("evidence = %+v, want a check that has not answered yet", s.observation.Evidence)
	}
	panel, evidence := weak.Make(kept.panel), weak.Make(kept)

	r.ask(at("", 0), kept) // promoted: the bake asks nobody
	r.desk.Close()         // what was under way has ended
	runtime.GC()
	if panel.Value() != nil {
		t.Error("the checks of a canary are still remembered after its promotion")
	}
	runtime.KeepAlive(kept)
	if err := r.watch(t.Context(), at("", 0)); err != nil {
		t.Fatalf("watch = %v", err)
	}
	runtime.GC()
	if evidence.Value() != nil {
		t.Error("the evidence of a rollout is still remembered after its end")
	}
	runtime.KeepAlive(r)
}
