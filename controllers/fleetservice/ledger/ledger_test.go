package ledger_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/fleetservice/ledger"
	"movieexample.com/fleet/controllers/fleetservice/revision"
)

// at is a time of a day, in seconds.
func at(second int) time.Time { return time.Date(2026, 3, 1, 12, 0, second, 0, time.UTC) }

func bad(hash string, second int) ledger.Entry {
	return ledger.Entry{Hash: hash, Image: "rating:" + hash, Reason: "Worse", Message: "9 of 31 bad against 1 of 588", At: at(second)}
}

// told is a ledger in one line: each verdict, then what was promoted last.
func told(l ledger.Ledger) string {
	var words []string
	for _, e := range l.Entries {
		words = append(words, fmt.Sprintf("%s %s@%d", e.Hash, e.Outcome, e.At.Sub(at(0))/time.Second))
	}
	if l.Promoted != nil {
		words = append(words, "last "+l.Promoted.Hash)
	}
	return strings.Join(words, ", ")
}

func TestVerdicts(t *testing.T) {
	start := ledger.Ledger{}.WithPromoted("a", "rating:a", at(1), nil)
	for name, tc := range map[string]struct {
		change func(ledger.Ledger) ledger.Ledger
		want   string
	}{
		"a release is taken back":                  {func(l ledger.Ledger) ledger.Ledger { return l.WithQuarantine(bad("b", 2)) }, "a Promoted@1, b Quarantined@2, last a"},
		"the same verdict again":                   {func(l ledger.Ledger) ledger.Ledger { return l.WithQuarantine(bad("b", 2)).WithQuarantine(bad("b", 2)) }, "a Promoted@1, b Quarantined@2, last a"},
		"a promoted release turns bad in its bake": {func(l ledger.Ledger) ledger.Ledger { return l.WithQuarantine(bad("a", 5)) }, "a Quarantined@5, last a"},
		"... in the second of its promotion":       {func(l ledger.Ledger) ledger.Ledger { return l.WithQuarantine(bad("a", 1)) }, "a Quarantined@1, last a"},
		"an old quarantine after a promotion":      {func(l ledger.Ledger) ledger.Ledger { return l.WithQuarantine(bad("a", 0)) }, "a Promoted@1, last a"},
		"an old promotion after a quarantine": {func(l ledger.Ledger) ledger.Ledger {
			return l.WithQuarantine(bad("b", 5)).WithPromoted("b", "", at(3), nil)
		}, "a Promoted@1, b Quarantined@5, last b"},
		"a quarantined release is promoted by command": {func(l ledger.Ledger) ledger.Ledger {
			return l.WithQuarantine(bad("b", 2)).WithPromoted("b", "", at(9), nil)
		}, "a Promoted@1, b Promoted@9, last b"},
		"forgiven":                       {func(l ledger.Ledger) ledger.Ledger { return l.WithQuarantine(bad("b", 2)).Forgive("b") }, "a Promoted@1, last a"},
		"forgiven what was never judged": {func(l ledger.Ledger) ledger.Ledger { return l.Forgive("x") }, "a Promoted@1, last a"},
		"told late":                      {func(l ledger.Ledger) ledger.Ledger { return l.WithQuarantine(bad("c", 9)).WithQuarantine(bad("b", 4)) }, "a Promoted@1, b Quarantined@4, c Quarantined@9, last a"},
	} {
		t.Run(name, func(t *testing.T) {
			got := tc.change(start)
			if told(got) != tc.want {
				t.Errorf("ledger = %s, want %s", told(got), tc.want)
			}
			if told(start) != "a Promoted@1, last a" {
				t.Errorf("the ledger before = %s, want it untouched", told(start))
			}
		})
	}
}

func TestQuarantined(t *testing.T) {
	l := ledger.Ledger{}.WithQuarantine(bad("b", 2)).WithPromoted("a", "rating:a", at(3), nil)
	e, found := l.Quarantined("b")
	want := bad("b", 2)
	want.Outcome = ledger.Quarantined
	if diff := cmp.Diff(want, e); !found || diff != "" {
		t.Errorf("Quarantined(b) = %v (-want +got):\n%s", found, diff)
	}
	for _, hash := range []string{"a", "x", ""} {
		if e, found := l.Quarantined(hash); found {
			t.Errorf("Quarantined(%q) = %v, want none", hash, e)
		}
	}
}

func TestTheLatestTwentyAreKept(t *testing.T) {
	l := ledger.Ledger{}
	for i := range 25 {
		l = l.WithQuarantine(bad(fmt.Sprintf("r%d", i), i))
	}
	if n := len(l.Entries); n != 20 || l.Entries[0].Hash != "r5" || l.Entries[19].Hash != "r24" {
		t.Errorf("the ledger keeps %d verdicts, %s; want r5 to r24", n, told(l))
	}
	if again := l.WithQuarantine(bad("r2", 2)); !again.Equal(l) {
		t.Errorf("told again of one that is too old the ledger = %s, want no change: it would be written for ever", told(again))
	}
}

func TestDeletedAndExpired(t *testing.T) {
	day := 24 * time.Hour
	l := ledger.Ledger{}.WithQuarantine(bad("b", 2))
	gone := l.WithDeleted(at(10).Add(300 * time.Millisecond))
	for name, tc := range map[string]struct {
		l    ledger.Ledger
		now  time.Time
		want bool
	}{
		"while the resource is there":        {l, at(0).Add(9999 * day), false},
		"a day after the deletion":           {gone, at(10).Add(day), false},
		"a second before 30 days":            {gone, at(9).Add(30 * day), false},
		"30 days after the deletion":         {gone, at(10).Add(30 * day), true},
		"deleted twice, the first counts":    {gone.WithDeleted(at(10).Add(20 * day)), at(10).Add(30 * day), true},
		"made anew":                          {gone.WithDeleted(time.Time{}), at(10).Add(30 * day), false},
		"the clock went back":                {gone, at(0), false},
		"read again from where it is stored": {reread(t, gone), at(10).Add(30 * day), true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tc.l.Expired(tc.now); got != tc.want {
				t.Errorf("Expired = %v, want %v", got, tc.want)
			}
		})
	}
	if !gone.WithDeleted(at(50)).Equal(gone) {
		t.Error("a second WithDeleted changes the ledger, want no write")
	}
	if gone.Equal(l) {
		t.Error("a deletion leaves the ledger equal, want it written")
	}
}

func reread(t *testing.T, l ledger.Ledger) ledger.Ledger {
	t.Helper()
	got, err := ledger.Parse(rendered(t, l))
	if err != nil {
		t.Fatalf("Parse(Render) = error %v, want none", err)
	}
	return got
}

func rendered(t *testing.T, l ledger.Ledger) *corev1.ConfigMap {
	t.Helper()
	cm, err := l.Render(&v1alpha1.FleetService{ObjectMeta: metav1.ObjectMeta{Namespace: "cinema", Name: "rating", UID: "u"}})
	if err != nil {
		t.Fatalf("Render = error %v, want none", err)
	}
	return cm
}

func snapshot(size int) *revision.Snapshot {
	return &revision.Snapshot{Image: "rating:a", Config: strings.Repeat("x", size), Template: corev1.PodTemplateSpec{
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "service", Image: "rating:a"}}},
	}}
}

func TestSnapshot(t *testing.T) {
	for name, tc := range map[string]struct {
		snapshot *revision.Snapshot
		kept     bool
		omitted  string
	}{
		"kept":      {snapshot(500 << 10), true, ""},
		"too large": {snapshot(750 << 10), false, "its snapshot has 750 KiB, at most 700 are kept"},
		"none":      {nil, false, "there was no snapshot of it"},
	} {
		t.Run(name, func(t *testing.T) {
			got := reread(t, ledger.Ledger{}.WithPromoted("a", "rating:a", at(1), tc.snapshot)).Promoted
			want := &ledger.Release{Hash: "a", Image: "rating:a", At: at(1), Omitted: tc.omitted}
			if tc.kept {
				want.Snapshot = tc.snapshot
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("promoted (-want +got):\n%s", diff)
			}
		})
	}
}

// TestItAlwaysFits fills a ledger with the longest that it takes.
func TestItAlwaysFits(t *testing.T) {
	signal := v1alpha1.SignalStatus{Name: "errors", Canary: "1000000/9999999", Stable: "1000000/9999999", Against: "123456", ForNext: "123456"}
	l := ledger.Ledger{}
	for i := range 30 {
		e := bad(fmt.Sprintf("revision-%d", i), i)
		e.Image, e.Message = strings.Repeat("i", 512), strings.Repeat("<", 32<<10)
		for range 50 {
			e.Signals = append(e.Signals, signal)
		}
		l = l.WithQuarantine(e)
	}
	l = l.WithPromoted("a", "rating:a", at(40), snapshot(699<<10))
	if l.Promoted.Snapshot == nil {
		t.Fatalf("the snapshot was left out: %s", l.Promoted.Omitted)
	}
	size := 0
	for _, v := range rendered(t, l).Data {
		size += len(v)
	}
	if size > 900<<10 {
		t.Errorf("the fullest ledger has %d KiB, want at most 900", size>>10)
	}
}

func TestLongMessagesAreCut(t *testing.T) {
	for name, tc := range map[string]struct{ message, end string }{
		"short":                  {"9 of 31 bad", "9 of 31 bad"},
		"long":                   {strings.Repeat("a", 5000), "a…"},
		"of wide characters":     {strings.Repeat("é", 5000), "é…"},
		"not text":               {"a\xffb", "a?b"},
		"exactly what is kept":   {strings.Repeat("a", 1024), "aa"},
		"one more than is kept":  {strings.Repeat("a", 1025), "a…"},
		"nothing":                {"", ""},
		"wide at the very limit": {strings.Repeat("a", 1020) + "€€€", "a…"},
	} {
		t.Run(name, func(t *testing.T) {
			e := bad("b", 1)
			e.Message = tc.message
			l := ledger.Ledger{}.WithQuarantine(e)
			got := l.Entries[0].Message
			if !strings.HasSuffix(got, tc.end) || len(got) > 1<<10 {
				t.Errorf("message has %d bytes and ends in %q, want at most 1024 and %q", len(got), got[max(0, len(got)-8):], tc.end)
			}
			if again := l.WithQuarantine(e); !again.Equal(l) || !again.Equal(reread(t, l)) {
				t.Error("the same verdict again changes the ledger, want no write")
			}
		})
	}
}

// TestRenderOutlivesTheResource: nothing ties the ConfigMap to the resource but its name.
func TestRenderOutlivesTheResource(t *testing.T) {
	cm := rendered(t, ledger.Ledger{})
	want := metav1.ObjectMeta{Namespace: "cinema", Name: "fleet-ledger-rating", Labels: map[string]string{
		"app.kubernetes.io/managed-by": "movie-fleet", "fleet.movieexample.com/service": "rating",
	}}
	if diff := cmp.Diff(want, cm.ObjectMeta); diff != "" {
		t.Errorf("metadata (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"verdicts.json": "[]"}, cm.Data); diff != "" {
		t.Errorf("data of an empty ledger (-want +got):\n%s", diff)
	}
}

func TestEqual(t *testing.T) {
	base := ledger.Ledger{}.WithPromoted("a", "rating:a", at(1), snapshot(10)).WithQuarantine(bad("b", 2))
	reason, numbers := bad("b", 2), bad("b", 2)
	reason.Reason = "CrashLoop"
	numbers.Signals = []v1alpha1.SignalStatus{{Name: "errors", Canary: "9/31", Stable: "1/588"}}
	for name, tc := range map[string]struct {
		other ledger.Ledger
		want  bool
	}{
		"itself":               {base, true},
		"as stored":            {reread(t, base), true},
		"empty":                {ledger.Ledger{}, false},
		"another reason":       {ledger.Ledger{}.WithPromoted("a", "rating:a", at(1), snapshot(10)).WithQuarantine(reason), false},
		"with numbers":         {ledger.Ledger{}.WithPromoted("a", "rating:a", at(1), snapshot(10)).WithQuarantine(numbers), false},
		"another promoted":     {base.WithPromoted("c", "rating:c", at(0), nil).Forgive("c"), false},
		"one verdict less":     {base.Forgive("b"), false},
		"none promoted so far": {ledger.Ledger{Entries: base.Entries}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := base.Equal(tc.other); got != tc.want {
				t.Errorf("Equal(%s) = %v, want %v", told(tc.other), got, tc.want)
			}
			if got := tc.other.Equal(base); got != tc.want {
				t.Errorf("Equal the other way round = %v, want %v", got, tc.want)
			}
		})
	}
}
