package ledger_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/fleetservice/ledger"
	"movieexample.com/fleet/controllers/fleetservice/revision"
)

// TestDamaged: whatever somebody did to a ledger, it is said, and not taken for a ledger without quarantines.
func TestDamaged(t *testing.T) {
	const good = `[{"hash":"b","image":"i","outcome":"Quarantined","at":"2026-03-01T12:00:00Z"}]`
	for name, tc := range map[string]struct {
		data map[string]string
		want string
	}{
		"no keys":                  {nil, "the ledger in ConfigMap movies/fleet-ledger-rating cannot be read: key verdicts.json is damaged: it is missing or empty; a ledger without verdicts says []: mend it, or delete the ConfigMap to forget every quarantine"},
		"verdicts emptied":         {map[string]string{"verdicts.json": ""}, "it is missing or empty"},
		"verdicts cut off":         {map[string]string{"verdicts.json": good[:40]}, "it is no list of verdicts: unexpected end of JSON input"},
		"verdicts an object":       {map[string]string{"verdicts.json": `{}`}, "it is no list of verdicts"},
		"text after the verdicts":  {map[string]string{"verdicts.json": good + "]"}, "it is no list of verdicts"},
		"an unknown outcome":       {map[string]string{"verdicts.json": strings.Replace(good, "Quarantined", "quarantined", 1)}, `the outcome of verdict 1 is "quarantined", want Promoted or Quarantined`},
		"a verdict about nothing":  {map[string]string{"verdicts.json": strings.Replace(good, `"b"`, `""`, 1)}, "verdict 1: it names no revision (hash)"},
		"a verdict without a time": {map[string]string{"verdicts.json": `[{"hash":"b","outcome":"Promoted"}]`}, "verdict 1: its time (at) is missing or in the year 1"},
		"a time that is none":      {map[string]string{"verdicts.json": strings.Replace(good, "2026-03-01T12:00:00Z", "yesterday", 1)}, "it is no list of verdicts"},
		"promoted is null":         {map[string]string{"verdicts.json": good, "promoted.json": "null"}, "key promoted.json is damaged: it is empty"},
		"promoted is nothing":      {map[string]string{"verdicts.json": good, "promoted.json": "{}"}, "key promoted.json is damaged: it names no revision (hash)"},
		"promoted cut off":         {map[string]string{"verdicts.json": good, "promoted.json": `{"hash":"a"`}, "it is no revision: unexpected end of JSON input"},
		"promoted at no time":      {map[string]string{"verdicts.json": good, "promoted.json": `{"hash":"a"}`}, "its time (at) is missing"},
		"deleted at no time":       {map[string]string{"verdicts.json": good, "deletedAt": "soon"}, "key deletedAt is damaged: it is no time such as 2006-01-02T15:04:05Z"},
		"deleted before computers": {map[string]string{"verdicts.json": good, "deletedAt": "0001-01-01T00:00:00Z"}, "key deletedAt is damaged: its time (at) is missing or in the year 1"},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := ledger.Parse(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "movies", Name: "fleet-ledger-rating"}, Data: tc.data})
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("Parse = %s, error %v; want one that says %q", told(l), err, tc.want)
			}
			if len(l.Entries) > 0 || l.Promoted != nil {
				t.Errorf("Parse = %s beside an error, want nothing", told(l))
			}
		})
	}
}

// ledgers draws what any series of verdicts leaves behind.
func ledgers() *rapid.Generator[ledger.Ledger] {
	moment := rapid.Custom(func(t *rapid.T) time.Time {
		return time.Unix(0, rapid.Int64Range(0, 4e18).Draw(t, "nanoseconds")).In(time.FixedZone("", rapid.IntRange(-12, 12).Draw(t, "zone")*3600))
	})
	number := rapid.StringMatching(`[0-9]{1,6}/[0-9]{1,6}`)
	return rapid.Custom(func(t *rapid.T) ledger.Ledger {
		l := ledger.Ledger{}
		for i := range rapid.IntRange(0, 30).Draw(t, "verdicts") {
			hash := fmt.Sprintf("r%d", rapid.IntRange(0, 25).Draw(t, "revision"))
			switch rapid.IntRange(0, 3).Draw(t, "verdict") {
			case 0:
				config := rapid.String().Draw(t, "config")
				template := corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"i": fmt.Sprint(i)}}}
				l = l.WithPromoted(hash, "rating:"+hash, moment.Draw(t, "at"), &revision.Snapshot{Image: "rating:" + hash, Config: config, Template: template})
			case 1:
				l = l.Forgive(hash)
			case 2:
				l = l.WithDeleted(moment.Draw(t, "deleted"))
			default:
				l = l.WithQuarantine(ledger.Entry{Hash: hash, Image: "rating:" + hash, Reason: rapid.StringMatching(`[A-Z][a-z]{2,9}`).Draw(t, "reason"),
					Message: rapid.String().Draw(t, "message"), At: moment.Draw(t, "at"),
					Signals: []v1alpha1.SignalStatus{{Name: "errors", Canary: number.Draw(t, "canary"), Stable: number.Draw(t, "stable")}}})
			}
		}
		return l
	})
}

// TestRoundTrip holds for any series of verdicts: what is stored reads back as it was, and is not written again.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		l := ledgers().Draw(rt, "ledger")
		got := reread(t, l)
		if diff := cmp.Diff(l, got, cmpopts.EquateEmpty()); diff != "" {
			rt.Fatalf("Parse(Render) (-want +got):\n%s", diff)
		}
		if !got.Equal(l) {
			rt.Fatalf("Equal(%s, %s) = false, want true", told(got), told(l))
		}
		seen := map[string]bool{}
		for i, e := range got.Entries {
			if seen[e.Hash] || (i > 0 && e.At.Before(got.Entries[i-1].At)) || i >= 20 {
				rt.Fatalf("ledger = %s, want at most 20, in order, each once", told(got))
			}
			seen[e.Hash] = true
		}
	})
}

// FuzzParse: a ledger that Parse takes is one that Render gives back.
func FuzzParse(f *testing.F) {
	full := ledger.Ledger{}.WithPromoted("a", "rating:a", at(1), snapshot(10)).WithQuarantine(bad("b", 2)).WithDeleted(at(9))
	cm, err := full.Render(&v1alpha1.FleetService{})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(cm.Data["verdicts.json"], cm.Data["promoted.json"], cm.Data["deletedAt"])
	f.Add("[]", "", "")
	f.Add(`[{"hash":"b","outcome":"Quarantined","at":"9999-12-31T23:59:59-23:59"}]`, `{"hash":"a","at":"0000-01-01T00:00:00+01:00"}`, "1970-01-01T00:00:00.5Z")
	f.Add(`null`, `{"hash":"a","at":"2026-03-01T12:00:00Z","snapshot":{"template":{"spec":{"containers":[{"name":"x","resources":{"limits":{"cpu":"1e3"}}}]}}}}`, "")
	f.Fuzz(func(t *testing.T, verdicts, promoted, deletedAt string) {
		data := map[string]string{"verdicts.json": verdicts}
		if promoted != "" {
			data["promoted.json"] = promoted
		}
		if deletedAt != "" {
			data["deletedAt"] = deletedAt
		}
		l, err := ledger.Parse(&corev1.ConfigMap{Data: data})
		if err != nil {
			return
		}
		if got := reread(t, l); !got.Equal(l) {
			t.Errorf("Parse(Render) = %+v, want %+v", got, l)
		}
	})
}
