package deadletter

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Why an event is a dead letter, besides the causes of package event.
const (
	CauseExpired = "expired" // older than what may still be stored
	CausePanic   = "panic"   // the program broke on it: the event may be good
)

// Names of the headers. A letter has its event's own headers too.
const (
	prefix          = "dead-letter-"
	headerCause     = prefix + "cause"
	headerError     = prefix + "error"
	headerTopic     = prefix + "source-topic"
	headerPartition = prefix + "source-partition"
	headerOffset    = prefix + "source-offset"
	headerTime      = prefix + "source-time"
	headerOmitted   = prefix + "omitted-bytes"
)

// maxError bounds what the header tells of an error: an event may name itself in it at any length.
const maxError = 1 << 10

// Letter is an event that could not be taken, with where it stood and why. Topic, partition and offset name it: after a
// crash the same letter may be written twice.
type Letter struct {
	Event *kgo.Record // key, value and headers as they came; topic, partition, offset and time where and when it stood
	Cause string
	Error string
	// Omitted is how many bytes of the event were left out because the topic of dead letters takes no record so large.
	Omitted int
}

// New is the letter of an event.
func New(event *kgo.Record, cause string, err error) Letter {
	text := err.Error()
	if len(text) > maxError {
		text = strings.ToValidUTF8(text[:maxError], "") + "…"
	}
	return Letter{Event: event, Cause: cause, Error: text}
}

// Shorter is the letter where there is no room for all of the event, which stays at its source for as long as that keeps it:
// first without its value, then without its key and headers too. ok is false where nothing is left to leave out.
func (l Letter) Shorter() (shorter Letter, ok bool) {
	e := *l.Event
	size := len(e.Key)
	for _, h := range e.Headers {
		size += len(h.Key) + len(h.Value)
	}
	switch {
	case len(e.Value) > 0:
		l.Omitted += len(e.Value)
		e.Value = nil
	case size > 0:
		l.Omitted += size
		e.Key, e.Headers = nil, nil
	default:
		return l, false
	}
	l.Event = &e
	return l, true
}

// Record is the letter as it is written to the topic.
func (l Letter) Record(topic string) *kgo.Record {
	e := l.Event
	r := &kgo.Record{Topic: topic, Key: e.Key, Value: e.Value, Headers: own(e.Headers)}
	for _, h := range [][2]string{
		{headerCause, l.Cause}, {headerError, l.Error}, {headerTopic, e.Topic}, {headerPartition, strconv.Itoa(int(e.Partition))},
		{headerOffset, strconv.FormatInt(e.Offset, 10)}, {headerTime, e.Timestamp.UTC().Format(time.RFC3339Nano)},
	} {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: h[0], Value: []byte(h[1])})
	}
	if l.Omitted > 0 {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: headerOmitted, Value: []byte(strconv.Itoa(l.Omitted))})
	}
	return r
}

// own are the headers that the event came with. One that is sent again and fails again has but the last failure's.
func own(headers []kgo.RecordHeader) []kgo.RecordHeader {
	return slices.DeleteFunc(slices.Clone(headers), func(h kgo.RecordHeader) bool { return strings.HasPrefix(h.Key, prefix) })
}

// Read is the letter that a record of the topic holds.
func Read(r *kgo.Record) (Letter, error) {
	texts := map[string]string{}
	for _, h := range r.Headers {
		texts[h.Key] = string(h.Value)
	}
	event := &kgo.Record{Topic: texts[headerTopic], Key: r.Key, Value: r.Value, Headers: own(r.Headers)}
	partition, partitionErr := strconv.ParseInt(texts[headerPartition], 10, 32)
	offset, offsetErr := strconv.ParseInt(texts[headerOffset], 10, 64)
	at, timeErr := time.Parse(time.RFC3339Nano, texts[headerTime])
	if err := errors.Join(partitionErr, offsetErr, timeErr); err != nil || event.Topic == "" {
		return Letter{}, fmt.Errorf("record %d of partition %d is no dead letter: its headers do not say where it came from", r.Offset, r.Partition)
	}
	event.Partition, event.Offset, event.Timestamp = int32(partition), offset, at
	omitted, err := strconv.Atoi(texts[headerOmitted])
	if err != nil && texts[headerOmitted] != "" {
		return Letter{}, fmt.Errorf("record %d of partition %d is no dead letter: %w", r.Offset, r.Partition, err)
	}
	return Letter{Event: event, Cause: texts[headerCause], Error: texts[headerError], Omitted: omitted}, nil
}
