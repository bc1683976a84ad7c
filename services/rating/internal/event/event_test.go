package event_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"movieexample.com/fleet/services/rating/internal/event"
	"movieexample.com/fleet/services/rating/internal/model"
)

var (
	at  = time.Date(2024, 5, 6, 7, 8, 9, 123456000, time.UTC)
	put = event.Event{
		ID: "e1", Type: event.Put, ProviderID: "p", UserID: "105", RecordType: "movie", RecordID: "1", Value: 5, OccurredAt: at,
	}
)

const second = `{"version":2,"eventId":"e1","eventType":"put","providerId":"p","userId":"105","recordId":"1","recordType":"movie","value":5,"occurredAt":"2024-05-06T07:08:09.123456Z"}`

func with(change func(*event.Event)) event.Event {
	e := put
	change(&e)
	return e
}

func TestParse(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want event.Event
	}{
		"version 2": {second, put},
		"more fields, another order": {`{"colour":"blue","recordType":"movie","occurredAt":"2024-05-06T07:08:09.123456Z","value":5,"recordId":"1",
			"userId":"105","providerId":"p","eventType":"put","eventId":"e1","version":2}`, put},
		"another zone": {strings.Replace(second, "07:08:09.123456Z", "09:08:09.123456+02:00", 1), put},
		"version 1, type as a number": {`{"eventType":"put","providerId":"p","userId":"105","recordId":"1","recordType":1,"value":5}`,
			with(func(e *event.Event) { e.ID, e.OccurredAt = "", time.Time{} })},
		"version 1, type as a string": {`{"version":1,"eventType":"put","providerId":"p","userId":"105","recordId":"1","recordType":"movie","value":5,"occurredAt":"2024-05-06T07:08:09.123456Z"}`,
			with(func(e *event.Event) { e.ID = "" })},
		"a deletion has no value": {strings.Replace(second, `"put"`, `"delete"`, 1),
			with(func(e *event.Event) { e.Type, e.Value = event.Delete, 0 })},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := event.Parse([]byte(c.text))
			if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
				t.Errorf("Parse = %v (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		from, to string // in an event that is good
		cause    string
		words    string
	}{
		"no JSON":               {`}`, ``, event.CauseUnparsable, "no event in JSON"},
		"another shape":         {second, `[]`, event.CauseUnparsable, "no event in JSON"},
		"two events":            {`}`, `}{}`, event.CauseUnparsable, "no event in JSON"},
		"half a star":           {`"value":5`, `"value":4.5`, event.CauseUnparsable, "no event in JSON"},
		"no time at all":        {`2024-05-06`, `2024-13-06`, event.CauseUnparsable, "no event in JSON"},
		"newer":                 {`"version":2`, `"version":3`, event.CauseUnsupportedVersion, "has version 3"},
		"below all":             {`"version":2`, `"version":-1`, event.CauseUnsupportedVersion, "has version -1"},
		"type":                  {`"put"`, `"like"`, event.CauseUnknownType, `eventType is "like"`},
		"record type's number":  {`"recordType":"movie"`, `"recordType":1`, event.CauseInvalid, "recordType is 1, want a string"},
		"no record type":        {`"recordType":"movie",`, ``, event.CauseInvalid, "recordType is missing"},
		"no id":                 {`"e1"`, `""`, event.CauseInvalid, "eventId is missing"},
		"long id":               {`"e1"`, `"` + strings.Repeat("e", 129) + `"`, event.CauseInvalid, "longer than 128"},
		"no time":               {`,"occurredAt":"2024-05-06T07:08:09.123456Z"`, ``, event.CauseInvalid, "occurredAt is missing"},
		"no user":               {`"105"`, `""`, event.CauseInvalid, "user_id"},
		"a user's name in full": {`"105"`, `"Zoë"`, event.CauseInvalid, "user_id"},
		"no record":             {`"recordId":"1"`, `"recordId":""`, event.CauseInvalid, "record_id"},
		"six stars":             {`"value":5`, `"value":6`, event.CauseInvalid, "value"},
		"many stars":            {`"value":5`, `"value":4294967297`, event.CauseInvalid, "value"},
		"no star":               {`"value":5,`, ``, event.CauseInvalid, "value"},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(second, c.from, c.to, 1)
			_, err := event.Parse([]byte(text))
			refusal, ok := errors.AsType[*event.Refusal](err)
			if !ok || refusal.Cause != c.cause || !strings.Contains(err.Error(), c.words) {
				t.Errorf("Parse(%s) = %v, want a refusal for %s that says %q", text, err, c.cause, c.words)
			}
		})
	}
}

func TestEncode(t *testing.T) {
	got, err := put.Encode()
	if diff := cmp.Diff(second, string(got)); err != nil || diff != "" {
		t.Errorf("Encode = %v (-want +got):\n%s", err, diff)
	}
	for name, e := range map[string]event.Event{
		"no id":   with(func(e *event.Event) { e.ID = "" }),
		"no time": with(func(e *event.Event) { e.OccurredAt = time.Time{} }),
	} {
		if _, err := e.Encode(); err == nil {
			t.Errorf("%s: Encode = nil, want an error", name)
		}
	}
}

func TestWriteAndKey(t *testing.T) {
	if got := string(put.Key()); got != "movie/1" {
		t.Errorf("Key = %s, want movie/1", got)
	}
	key := model.Key{Record: model.Record{Type: "movie", ID: "1"}, UserID: "105"}
	want := model.Write{Key: key, Value: 5, OccurredAt: at}
	fine := with(func(e *event.Event) { e.OccurredAt = at.Add(999).In(time.FixedZone("", 3600)) })
	if diff := cmp.Diff(want, fine.Write()); diff != "" {
		t.Errorf("Write (-want +got):\n%s", diff)
	}
	deletion := with(func(e *event.Event) { e.Type, e.Value = event.Delete, 0 })
	if diff := cmp.Diff(model.Write{Key: key, Deleted: true, OccurredAt: at}, deletion.Write()); diff != "" {
		t.Errorf("Write of a deletion (-want +got):\n%s", diff)
	}
}

// Whatever is parsed is written in the newest version and parsed again as the same; nothing else but a refusal comes out.
func FuzzParse(f *testing.F) {
	f.Add([]byte(second))
	f.Add([]byte(`{"eventType":"delete","userId":"105","recordId":"1","recordType":1}`))
	f.Add([]byte(`{"version":3}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		first, err := event.Parse(text)
		if err != nil {
			if _, ok := errors.AsType[*event.Refusal](err); !ok {
				t.Fatalf("Parse = %v, want a refusal", err)
			}
			return
		}
		if first.ID == "" {
			first.ID = "made"
		}
		if first.OccurredAt.IsZero() {
			first.OccurredAt = at
		}
		again, err := first.Encode()
		if first.OccurredAt.Year() > 9999 || first.OccurredAt.Year() < 0 {
			return // JSON has no such years
		}
		if err != nil {
			t.Fatalf("Encode = %v, want nil", err)
		}
		got, err := event.Parse(again)
		first.OccurredAt = first.OccurredAt.UTC()
		if diff := cmp.Diff(first, got); err != nil || diff != "" {
			t.Errorf("Parse(Encode(event)) = %v (-want +got):\n%s", err, diff)
		}
	})
}
