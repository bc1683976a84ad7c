//go:build envtest

package fleetservice_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"movieexample.com/fleet/api/v1alpha1"
)

const shadowSpec = `{image: "rating:%s", args: [ingest], replicas: 2, drainSeconds: 4, rollout: {minStep: 2s, bake: 20s},
  consumer: {topic: ratings, group: rating, partitions: %d, shadow: true},
  signals: {metrics: {requests: [{counter: ingest_events_total, codeLabel: outcome, errors: [failed, dead_lettered]}]}}}`

// shadowing is a stage where v1 reads a topic, and v2 is to read along before its first share.
func shadowing(t *testing.T, partitions int) *stage {
	t.Helper()
	s := newStage(t)
	pages := s.world.showPages()
	pages.consume, pages.hangs = true, map[string]bool{}
	s.install(fmt.Sprintf(shadowSpec, "v1", partitions))
	s.serving("rating:v1")
	return s
}

// scene is what runs, and which of it reads along.
func (s *stage) scene() string {
	s.t.Helper()
	shadows := map[string]bool{}
	for _, d := range s.world.deployments() {
		template := d.Spec.Template
		along := slices.Equal(template.Spec.Containers[0].Args, []string{"ingest", "--ingest.shadow=true"})
		if labelled := template.Labels[v1alpha1.LabelShadow] == "true"; labelled != along {
			s.t.Errorf("%s has arguments %q and labels %v, want both or none to say that it reads along", d.Name, template.Spec.Containers[0].Args, template.Labels)
		}
		shadows[template.Spec.Containers[0].Image] = along
	}
	var list []string
	for _, image := range s.world.images() {
		name, _, _ := strings.Cut(image, " ")
		if shadows[name] {
			image += " along"
		}
		list = append(list, image)
	}
	return strings.Join(list, " + ")
}

// TestShadow: the canary reads along with one pod, which is compared with stable and claims no share; that pod goes before
// those come that read.
func TestShadow(t *testing.T) {
	s := shadowing(t, 6)
	s.told("")
	s.change(fmt.Sprintf(shadowSpec, "v2", 6))
	var story []string
	var read *v1alpha1.FleetService
	fs := s.until("the bake", func(fs *v1alpha1.FleetService) bool {
		if scene := s.scene(); len(story) == 0 || story[len(story)-1] != scene {
			story = append(story, scene)
		}
		if fs.Status.Phase == "Shadow" && len(fs.Status.Rollout.Signals) > 0 {
			read = fs.DeepCopy()
		}
		return fs.Status.Phase == "Baking"
	})
	want := []string{
		"rating:v1 ×2", "rating:v1 ×2 + rating:v2 ×1 along", "rating:v1 ×2 + rating:v2 ×0",
		"rating:v1 ×2 + rating:v2 ×1", "rating:v1 ×2 + rating:v2 ×2", "rating:v1 ×0 + rating:v2 ×2",
	}
	if diff := cmp.Diff(want, story); diff != "" {
		t.Errorf("Deployments (-want +got):\n%s", diff)
	}
	if read == nil {
		t.Fatal("status never told what the shadow was counted to have read")
	}
	st := read.Status
	s.wantCondition(read, v1alpha1.ConditionProgressing, "True Shadow", "reads all partitions along since", "stores nothing")
	if st.Rollout.Weight != 0 || st.Traffic.Other != "" || st.Rollout.MeasuredPercent != "" || st.Rollout.Shadow.Stage != "On" || st.Rollout.Shadow.Since == nil {
		t.Errorf("rollout = %+v, traffic = %+v, want a shadow since some time and no share", st.Rollout, st.Traffic)
	}
	if fs.Status.Rollout != nil || fs.Status.Previous == nil {
		t.Errorf("status after the promotion = %+v, want nothing of the shadow left", fs.Status)
	}
	var reasons []string
	for _, e := range s.told("") {
		reasons = append(reasons, strings.Join(strings.Fields(e)[:2], " "))
	}
	wantReasons := []string{
		"Normal RolloutStarted", "Normal ReadsAlong", "Normal ShadowPassed", "Normal WeightRaised", "Normal TrafficMoved",
		"Normal WeightRaised", "Normal TrafficMoved", "Normal Promoted", "Normal TrafficMoved",
	}
	if diff := cmp.Diff(wantReasons, reasons); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	s.serving("rating:v2")
	s.wantQuiet("reading")
}

// TestShadowIsTakenBack: what a canary would dead-letter, or stand still at, shows before it has a share; then no other pod of
// it has run.
func TestShadowIsTakenBack(t *testing.T) {
	for name, c := range map[string]struct {
		partitions int
		fails      float64
		hangs      bool
		reason     string
	}{
		"dead letters":      {partitions: 6, fails: 0.2, reason: v1alpha1.ReasonWorse},
		"stands still":      {partitions: 6, hangs: true, reason: v1alpha1.ReasonStuck},
		"the one partition": {partitions: 1, fails: 0.2, reason: v1alpha1.ReasonWorse},
	} {
		t.Run(name, func(t *testing.T) {
			s := shadowing(t, c.partitions)
			s.world.pages.fails["rating:v2"], s.world.pages.hangs["rating:v2"] = c.fails, c.hangs
			s.change(fmt.Sprintf(shadowSpec, "v2", c.partitions))
			fs := s.until("v2 taken back", func(fs *v1alpha1.FleetService) bool {
				if scene := s.scene(); strings.Contains(scene, "v2 ×1") && !strings.Contains(scene, "along") || strings.Contains(scene, "v1 ×0") {
					t.Fatalf("%s: v2 was given a share", scene)
				}
				return fs.Status.Phase == "TakenBack"
			})
			if r := fs.Status.Rejected; r.Reason != c.reason || !strings.Contains(r.Message, "no event is affected") || !r.Quarantined {
				t.Errorf("rejected = %+v, want %s and that nothing is affected", r, c.reason)
			}
			s.until("v1 alone", func(*v1alpha1.FleetService) bool { return !strings.Contains(s.scene(), "v2") })
			s.wantQuiet("taken back")
		})
	}
}

// TestShadowOfOnePartition: the canary is compared with stable before it takes the only partition from it.
func TestShadowOfOnePartition(t *testing.T) {
	s := shadowing(t, 1)
	s.change(fmt.Sprintf(shadowSpec, "v2", 1))
	var story []string
	s.until("the bake", func(fs *v1alpha1.FleetService) bool {
		if scene := s.scene(); len(story) == 0 || story[len(story)-1] != scene {
			story = append(story, scene)
		}
		return fs.Status.Phase == "Baking"
	})
	want := []string{
		"rating:v1 ×1", "rating:v1 ×1 + rating:v2 ×1 along", "rating:v1 ×1 + rating:v2 ×0",
		"rating:v1 ×1 + rating:v2 ×1", "rating:v1 ×0 + rating:v2 ×1",
	}
	if diff := cmp.Diff(want, story); diff != "" {
		t.Errorf("Deployments (-want +got):\n%s", diff)
	}
}

// TestShadowCrashes ends the process after each call until a canary that reads along has its first share, or is taken back.
// The end is the same each time.
func TestShadowCrashes(t *testing.T) {
	for name, c := range map[string]struct {
		fails float64
		over  func(*v1alpha1.FleetService) bool
		end   string
	}{
		"good": {0, func(fs *v1alpha1.FleetService) bool {
			return fs.Status.Rollout != nil && fs.Status.Rollout.Weight > 0 && fs.Status.Traffic.OtherPercent > 0
		}, "rating:v1 ×2 + rating:v2 ×1"},
		"bad": {0.5, func(fs *v1alpha1.FleetService) bool { return fs.Status.Phase == "TakenBack" }, "rating:v1 ×2"},
	} {
		t.Run(name, func(t *testing.T) {
			rollout := func(t *testing.T, begin func(*stage)) *stage {
				s := shadowing(t, 4)
				s.world.pages.fails["rating:v2"] = c.fails
				begin(s)
				s.change(fmt.Sprintf(shadowSpec, "v2", 4))
				s.until("the end", func(fs *v1alpha1.FleetService) bool { return c.over(fs) && s.scene() == c.end })
				return s
			}
			reference := rollout(t, func(s *stage) { s.writes = nil })
			if len(reference.writes) < 10 {
				t.Fatalf("the rollout took the calls %q, want more: crashes come between them", reference.writes)
			}
			for n := range reference.writes {
				t.Run(fmt.Sprintf("after call %02d", n), func(t *testing.T) {
					s := rollout(t, func(s *stage) { s.crashAt(n) })
					if fs := s.get(); c.fails > 0 && fs.Status.Rejected.Reason != v1alpha1.ReasonWorse {
						t.Errorf("rejected = %+v, want Worse", fs.Status.Rejected)
					}
				})
			}
		})
	}
}
