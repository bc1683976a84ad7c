package events_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"movieexample.com/fleet/services/internal/events"
)

var event = events.Event{
	ID: "1", Type: "rating.put", Record: events.Record("movie", "tt1"), Actor: "alice",
	Before: []byte(`{"value":4}`), After: []byte(`{"value":5}`), Time: time.Date(2024, 5, 6, 7, 8, 9, 123456000, time.UTC),
}

func TestForm(t *testing.T) {
	const want = `{"version":1,"id":"1","type":"rating.put","record":"movie/tt1","actor":"alice","before":{"value":4},"after":{"value":5},"time":"2024-05-06T07:08:09.123456Z"}`
	got, err := events.Encode(event)
	if diff := cmp.Diff(want, string(got)); err != nil || diff != "" {
		t.Errorf("Encode = %v (-want +got):\n%s", err, diff)
	}
	none := event
	none.Before, none.After = nil, nil
	if got, err := events.Encode(none); err != nil || !strings.Contains(string(got), `"before":null,"after":null`) {
		t.Errorf("Encode without states = %s, %v, want nulls", got, err)
	}
}

func TestDecode(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want string // part of the error, "" for none
	}{
		"more fields":   {`{"version":1,"id":"1","type":"t","record":"movie/1","colour":"blue"}`, ""},
		"newer":         {`{"version":2,"id":"1","type":"t","record":"movie/1"}`, "has version 2"},
		"no id":         {`{"version":1,"type":"t","record":"movie/1"}`, "no id"},
		"not JSON":      {`}`, "decode event"},
		"another shape": {`[]`, "decode event"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := events.Decode([]byte(c.text))
			if (c.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("Decode(%s) = %v, want %q", c.text, err, c.want)
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	text, err := events.Encode(event)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"version":1,"id":"1","type":"t","record":"r","before":null}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		first, err := events.Decode(text)
		if err != nil {
			return
		}
		again, err := events.Encode(first)
		if err != nil {
			t.Fatalf("Encode of a decoded event = %v, want nil", err)
		}
		second, err := events.Decode(again)
		if err != nil || second.ID != first.ID || second.Record != first.Record || (second.After == nil) != (first.After == nil) {
			t.Errorf("Decode(Encode(%v)) = %v, %v, want the same event", first, second, err)
		}
	})
}

func TestIDOf(t *testing.T) {
	if id, ok := event.IDOf("movie"); id != "tt1" || !ok {
		t.Errorf("IDOf(movie) = %q, %v, want tt1", id, ok)
	}
	if _, ok := event.IDOf("series"); ok {
		t.Error("IDOf(series) of a movie's event = true, want false")
	}
}

func TestStored(t *testing.T) {
	list := []events.Event{{ID: "1", Record: "a"}, {ID: "2", Record: "b"}, {ID: "3", Record: "a"}, {ID: "4", Record: "b"}}
	got := events.Stored(list, func(i int) bool { return i == 0 })
	if diff := cmp.Diff([]string{"2", "4"}, got); diff != "" {
		t.Errorf("Stored, the first of record a failed (-want +got):\n%s", diff)
	}
}
