package signals_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"movieexample.com/fleet/controllers/fleetservice/signals"
)

func TestLastLine(t *testing.T) {
	for name, test := range map[string]struct{ message, want string }{
		"nothing":           {"", ""},
		"white space":       {" \n\n ", ""},
		"one":               {"boom", "boom"},
		"several":           {"a\nb\n  c \n\n", "c"},
		"long":              {strings.Repeat("x", 400), strings.Repeat("x", 300) + "…"},
		"cut inside a rune": {strings.Repeat("x", 299) + "é", strings.Repeat("x", 299) + "…"},
		"no UTF-8":          {"a\xffb", "ab"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := signals.LastLine(test.message); got != test.want {
				t.Errorf("LastLine(%q) = %q, want %q", test.message, got, test.want)
			}
		})
	}
}

func TestReady(t *testing.T) {
	at := func(offset time.Duration) metav1.Time { return metav1.NewTime(now.Add(offset)) }
	ready := func(status corev1.ConditionStatus, since metav1.Time) corev1.Pod {
		return corev1.Pod{Status: corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: status, LastTransitionTime: since}}}}
	}
	leaving := ready(corev1.ConditionTrue, at(-time.Second))
	leaving.DeletionTimestamp = &metav1.Time{Time: now}
	pods := []corev1.Pod{
		ready(corev1.ConditionTrue, at(-time.Minute)), ready(corev1.ConditionTrue, at(-10*time.Second)),
		ready(corev1.ConditionFalse, at(-time.Second)), leaving, {},
	}
	count, since := signals.Ready(pods)
	if want := now.Add(-10 * time.Second); count != 2 || !since.Equal(want) {
		t.Errorf("Ready = %d since %s, want 2 since %s", count, since, want)
	}
}

// FuzzPods feeds pod statuses that no kubelet would write: they must give words that can be stored, and no panic.
func FuzzPods(f *testing.F) {
	for _, seed := range []string{
		one(`ready: true, restartCount: 0, ` + running), pulling("ErrImagePull", rpcNotFound), pulling("CrashLoopBackOff", ""),
		`{phase: Failed, reason: Evicted, message: x}`, `{initContainerStatuses: [{}], containerStatuses: [{}, {state: {terminated: {}}}]}`,
	} {
		p := pod(f, seed)
		raw, err := json.Marshal(p.Status)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		p := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p"}}
		if json.Unmarshal(raw, &p.Status) != nil {
			return
		}
		for _, fact := range signals.Pods([]corev1.Pod{p}, now) {
			if fact.Reason == "" || fact.Message == "" || !utf8.ValidString(fact.Message) {
				t.Errorf("Pods(%s) = %+v, want a reason and words", raw, fact)
			}
			if fact.Final && fact.Blame != signals.Release {
				t.Errorf("Pods(%s) = %+v: only a release fact can be final", raw, fact)
			}
		}
	})
}

// TestLoggedWords: of a structured log line only what a person reads stands in a condition.
func TestLoggedWords(t *testing.T) {
	for name, c := range map[string]struct{ line, want string }{
		"slog":          {`{"time":"2026-01-01T00:00:00Z","level":"ERROR","msg":"Cannot open the database","error":"no such table"}`, "Cannot open the database: no such table"},
		"message only":  {`{"level":"info","message":"bye"}`, "bye"},
		"not a record":  {`{"a":1}`, `{"a":1}`},
		"broken object": {`{"msg":"cut of`, `{"msg":"cut of`},
	} {
		t.Run(name, func(t *testing.T) {
			if got := signals.LastLine("started\n" + c.line + "\n"); got != c.want {
				t.Errorf("LastLine(%s) = %q, want %q", c.line, got, c.want)
			}
		})
	}
}
