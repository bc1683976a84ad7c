package conditions_test

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"movieexample.com/fleet/controllers/internal/conditions"
)

var (
	then = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	now  = then.Add(90*time.Second + 250*time.Millisecond)
)

func ready(status metav1.ConditionStatus, generation int64, at time.Time, message string) metav1.Condition {
	return metav1.Condition{Type: "Ready", Status: status, Reason: "Because", Message: message, ObservedGeneration: generation, LastTransitionTime: metav1.NewTime(at)}
}

func TestSet(t *testing.T) {
	other := metav1.Condition{Type: "Stalled", Status: metav1.ConditionFalse, Reason: "Because", LastTransitionTime: metav1.NewTime(then)}
	old := ready(metav1.ConditionTrue, 1, then, "as before")
	for name, test := range map[string]struct {
		list []metav1.Condition
		set  metav1.Condition
		want []metav1.Condition
	}{
		"new":                {nil, ready(metav1.ConditionTrue, 0, time.Time{}, "m"), []metav1.Condition{ready(metav1.ConditionTrue, 2, now.Truncate(time.Second), "m")}},
		"same":               {[]metav1.Condition{other, old}, old, []metav1.Condition{other, ready(metav1.ConditionTrue, 2, then, "as before")}},
		"other words":        {[]metav1.Condition{old, other}, ready(metav1.ConditionTrue, 0, now, "new"), []metav1.Condition{ready(metav1.ConditionTrue, 2, then, "new"), other}},
		"other status":       {[]metav1.Condition{old, other}, ready(metav1.ConditionFalse, 0, then, "new"), []metav1.Condition{ready(metav1.ConditionFalse, 2, now.Truncate(time.Second), "new"), other}},
		"beside one of them": {[]metav1.Condition{other}, old, []metav1.Condition{other, ready(metav1.ConditionTrue, 2, now.Truncate(time.Second), "as before")}},
	} {
		t.Run(name, func(t *testing.T) {
			conditions.Set(&test.list, 2, now, test.set)
			if diff := cmp.Diff(test.want, test.list); diff != "" {
				t.Errorf("Set (-want +got):\n%s", diff)
			}
		})
	}
}

// TestSetEqualIsNoChange: the same content set again, later, must not look like a change, or status is written for ever.
func TestSetEqualIsNoChange(t *testing.T) {
	for name, message := range map[string]string{
		"short": "m", "long": strings.Repeat("x", 5000), "cut inside a rune": strings.Repeat("x", 1020) + strings.Repeat("é", 10),
	} {
		t.Run(name, func(t *testing.T) {
			var list []metav1.Condition
			conditions.Set(&list, 1, then, ready(metav1.ConditionTrue, 0, time.Time{}, message))
			before := append([]metav1.Condition(nil), list...)
			conditions.Set(&list, 1, now, ready(metav1.ConditionTrue, 0, time.Time{}, message))
			if diff := cmp.Diff(before, list); diff != "" {
				t.Errorf("Set of the same (-before +after):\n%s", diff)
			}
			if got := list[0].Message; len(got) > 1024 || !utf8.ValidString(got) {
				t.Errorf("the message has %d bytes, want at most 1024 in valid UTF-8", len(got))
			}
		})
	}
}

func TestRemove(t *testing.T) {
	list := []metav1.Condition{{Type: "A"}, {Type: "B"}, {Type: "C"}}
	conditions.Remove(&list, "B")
	conditions.Remove(&list, "D")
	if diff := cmp.Diff([]metav1.Condition{{Type: "A"}, {Type: "C"}}, list); diff != "" {
		t.Errorf("Remove (-want +got):\n%s", diff)
	}
}
