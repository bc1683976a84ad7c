package deadletter_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/twmb/franz-go/pkg/kgo"

	"movieexample.com/fleet/services/rating/internal/deadletter"
)

func event() *kgo.Record {
	return &kgo.Record{
		Topic: "ratings", Partition: 7, Offset: 123, Timestamp: time.Date(2026, 11, 21, 12, 0, 0, 123456789, time.UTC),
		Key: []byte("movie/1"), Value: []byte(`{"broken"`), Headers: []kgo.RecordHeader{{Key: "traceparent", Value: []byte("00-1")}},
	}
}

func TestALetterTellsAllOfItsEvent(t *testing.T) {
	want := deadletter.New(event(), deadletter.CausePanic, errors.New("broke"))
	again := want.Record("ratings.dlq") // sent back and refused once more: the headers of the first time do not pile up
	again.Topic, again.Partition, again.Offset, again.Timestamp = "ratings", 7, 123, event().Timestamp
	for name, r := range map[string]*kgo.Record{
		"once": want.Record("ratings.dlq"), "twice": deadletter.New(again, deadletter.CausePanic, errors.New("broke")).Record("ratings.dlq"),
	} {
		got, err := deadletter.Read(r)
		if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(kgo.Record{}, kgo.RecordAttrs{})); err != nil || diff != "" {
			t.Errorf("%s: Read(Record()) = %v (-want +got):\n%s", name, err, diff)
		}
	}
}

func TestALetterWithoutRoomNamesItsEvent(t *testing.T) {
	l := deadletter.New(event(), "invalid", errors.New("is too large"))
	for _, want := range []struct {
		omitted, headers int
		key              string
	}{{len(event().Value), 1, "movie/1"}, {len(event().Value) + len("movie/1") + len("traceparent") + len("00-1"), 0, ""}} {
		var ok bool
		l, ok = l.Shorter()
		got, err := deadletter.Read(l.Record("ratings.dlq"))
		if err != nil || !ok || got.Omitted != want.omitted || got.Event.Value != nil || got.Event.Offset != 123 {
			t.Errorf("Read() = %+v, %v, want the place of the event and that %d bytes were left out", got, err, want.omitted)
		}
		if string(got.Event.Key) != want.key || len(got.Event.Headers) != want.headers {
			t.Errorf("key %q, headers %v, want %q and %d", got.Event.Key, got.Event.Headers, want.key, want.headers)
		}
	}
	if _, ok := l.Shorter(); ok {
		t.Error("Shorter() of a letter without anything of its event, want none")
	}
}

func TestAnErrorIsCutShort(t *testing.T) {
	l := deadletter.New(event(), "invalid", errors.New(strings.Repeat("é", 4000)))
	if len(l.Error) > 1100 || strings.Contains(l.Error, "\uFFFD") {
		t.Errorf("Error has %d bytes, want about a thousand and whole letters", len(l.Error))
	}
}

func TestOtherRecordsAreNoLetters(t *testing.T) {
	for name, r := range map[string]*kgo.Record{
		"no headers": {Value: []byte("x")},
		"no number":  {Headers: []kgo.RecordHeader{{Key: "dead-letter-source-topic", Value: []byte("ratings")}}},
	} {
		if _, err := deadletter.Read(r); err == nil || !strings.Contains(err.Error(), "is no dead letter") {
			t.Errorf("%s: Read() = %v, want a sentence", name, err)
		}
	}
}
