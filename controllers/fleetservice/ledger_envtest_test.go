//go:build envtest

package fleetservice_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"movieexample.com/fleet/api/v1alpha1"
)

func (s *stage) ledger() *corev1.ConfigMap {
	s.t.Helper()
	cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "fleet-ledger-rating"}}
	if err := s.c.Get(s.t.Context(), client.ObjectKeyFromObject(cm), cm); err != nil {
		s.t.Fatalf("get the ledger: %v", err)
	}
	return cm
}

// write changes the ledger by hand.
func (s *stage) write(cm *corev1.ConfigMap) {
	s.t.Helper()
	if err := s.c.Update(s.t.Context(), cm); err != nil {
		s.t.Fatalf("write the ledger: %v", err)
	}
}

// TestDamagedLedger: what serves goes on and says what is wrong, what is new waits, and the text that somebody left stays.
func TestDamagedLedger(t *testing.T) {
	s := newStage(t)
	s.rejected(func() {})
	s.change(v1)
	s.serving("rating:v1")
	whole := s.ledger()
	damaged := whole.DeepCopy()
	damaged.Data["verdicts.json"] = strings.TrimSuffix(damaged.Data["verdicts.json"], "]")
	s.write(damaged)

	s.step()
	fs := s.get()
	s.wantCondition(fs, v1alpha1.ConditionLedgerReadable, "False LedgerDamaged: the ledger in ConfigMap "+s.namespace+"/fleet-ledger-rating cannot be read",
		"key verdicts.json", "mend it, or delete the ConfigMap")
	s.wantCondition(fs, v1alpha1.ConditionReady, "True Serving")
	s.wantQuiet("damaged, and nothing new is asked for")
	if told := s.told("LedgerDamaged"); len(told) != 1 || !strings.Contains(told[0], "No other revision is tried until then") {
		t.Errorf("events = %q, want one that tells of the damage", told)
	}

	s.change(v2) // which is quarantined, if somebody could read it
	fs = s.phase("Stalled")
	s.wantCondition(fs, v1alpha1.ConditionStalled, "True LedgerDamaged: revision ", "(rating:v2) waits", "mend it, or delete the ConfigMap")
	s.wantCondition(fs, v1alpha1.ConditionAvailable, "True ")
	s.wantStill("rating:v1 ×2")
	s.wantQuiet("damaged")
	if diff := cmp.Diff(damaged.Data, s.ledger().Data); diff != "" {
		t.Errorf("the ledger (-as it was damaged +now):\n%s", diff)
	}

	cm := s.ledger()
	cm.Data = whole.Data
	s.write(cm)
	fs = s.phase("TakenBack")
	s.wantCondition(fs, v1alpha1.ConditionStalled, "True TakenBack", "boom")
	if got := condition(fs, v1alpha1.ConditionLedgerReadable); got != "" {
		t.Errorf("condition LedgerReadable = %q after it was mended, want none", got)
	}
}

// TestDamagedLedgerKeepsAVerdict: a revision that is taken back while the ledger cannot be read is quarantined in it later.
func TestDamagedLedgerKeepsAVerdict(t *testing.T) {
	s := newStage(t)
	s.world.behaviors["rating:v2"] = neverReady
	s.install(v1)
	s.serving("rating:v1")
	s.change(v2)
	s.until("a trial", func(fs *v1alpha1.FleetService) bool { return fs.Status.Canary != nil && len(s.world.images()) == 2 })
	cm := s.ledger()
	whole := cm.Data["verdicts.json"]
	cm.Data["verdicts.json"] = "{"
	s.write(cm)
	fs := s.until("v2 taken back", func(fs *v1alpha1.FleetService) bool { return fs.Status.Rejected != nil })
	s.change(v1) // what was taken back must not be forgotten meanwhile
	for range 5 {
		s.step()
	}
	cm = s.ledger()
	if cm.Data["verdicts.json"] != "{" {
		t.Fatalf("the damaged text was replaced by %q", cm.Data["verdicts.json"])
	}
	cm.Data["verdicts.json"] = whole
	s.write(cm)
	s.until("the quarantine written down", func(*v1alpha1.FleetService) bool {
		return strings.Contains(s.ledger().Data["verdicts.json"], fs.Status.Rejected.Hash)
	})
}

// TestLedgerWithoutItsLabel: a cache that holds only what bears our label must not make us forget, and write over it.
func TestLedgerWithoutItsLabel(t *testing.T) {
	s := newStage(t)
	s.rejected(func() {})
	before := s.ledger().Data
	s.change(v1)
	s.serving("rating:v1")
	s.hide = func(o client.Object) bool {
		_, is := o.(*corev1.ConfigMap)
		return is && o.GetName() == "fleet-ledger-rating"
	}
	s.change(v2)
	fs := s.phase("TakenBack")
	s.wantCondition(fs, v1alpha1.ConditionStalled, "True TakenBack", "boom")
	if diff := cmp.Diff(before, s.ledger().Data); diff != "" {
		t.Errorf("the ledger (-before +after):\n%s", diff)
	}
}

// TestOldLedgersGo: 30 days after its service a ledger goes, and no other.
func TestOldLedgersGo(t *testing.T) {
	s := newStage(t)
	at := func(age time.Duration) string { return s.clock.Now().Add(-age).UTC().Format(time.RFC3339) }
	const day = 24 * time.Hour
	put := func(name, service, deletedAt, verdicts string) {
		t.Helper()
		cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: name,
			Labels: map[string]string{v1alpha1.LabelManagedBy: v1alpha1.ManagedByValue, v1alpha1.LabelService: service}},
			Data: map[string]string{"verdicts.json": verdicts, "deletedAt": deletedAt}}
		if err := s.c.Create(t.Context(), cm); err != nil {
			t.Fatal(err)
		}
	}
	put("fleet-ledger-old", "old", at(31*day), "[]")
	put("fleet-ledger-young", "young", at(29*day), "[]")
	put("fleet-ledger-damaged", "damaged", at(31*day), "{")
	put("fleet-ledger-rating", "rating", at(31*day), "[]") // made anew, and not looked at yet
	put("fleet-ledger-copy", "other", at(31*day), "[]")    // somebody's copy of a ledger
	s.install(v1)

	ctx, end := context.WithCancel(t.Context())
	done := make(chan error, 1)
	process := s.process()
	go func() { done <- process.Start(ctx) }()
	left := func() []string {
		var names []string
		var list corev1.ConfigMapList
		s.world.list(&list)
		for _, cm := range list.Items {
			if strings.HasPrefix(cm.Name, "fleet-ledger-") {
				names = append(names, cm.Name)
			}
		}
		return names
	}
	for len(left()) == 5 && ctx.Err() == nil { // each look is a call to the API server
	}
	end()
	if err := <-done; err != nil {
		t.Errorf("Start = %v", err)
	}
	want := []string{"fleet-ledger-copy", "fleet-ledger-damaged", "fleet-ledger-rating", "fleet-ledger-young"}
	if diff := cmp.Diff(want, left()); diff != "" {
		t.Errorf("ledgers (-want +got):\n%s", diff)
	}
}
