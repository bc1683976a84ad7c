package events

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// version of the form in which events travel.
const version = 1

// Event is one change of one record that was asked for through the API.
type Event struct {
	ID     string // the same however often it is delivered
	Type   string // what was done, such as rating.put
	Record string // what was changed, by Record; events of one record are delivered in order
	Actor  string // who asked for it: the token's subject, or "" where no tokens are asked for
	// Before and After are the record as JSON; nil where there was, or is, none.
	Before, After json.RawMessage
	Time          time.Time
	// Trace is that of the call which asked for the change, as [TraceOf] gives it. It travels beside the event.
	Trace string
}

// Record is how events name the record of this type with this id. What different services know of one record has one
// name, so that its events stay in order.
func Record(recordType, id string) string { return recordType + "/" + id }

// IDOf is the id of the event's record, if it is of this type.
func (e Event) IDOf(recordType string) (string, bool) {
	return strings.CutPrefix(e.Record, recordType+"/")
}

// Publisher delivers events, each at least once.
type Publisher interface {
	// Publish returns the ids of the events that are safely stored; the error says why others may not be. An event is
	// among the stored ones only if all before it of the same record are, so whoever publishes the rest again keeps their order.
	Publish(ctx context.Context, list []Event) (stored []string, err error)
}

// Subscriber is told of all events.
type Subscriber interface {
	// Subscribe calls handle with each batch of events until ctx ends; only a mistake of the program ends it earlier.
	Subscribe(ctx context.Context, handle func(context.Context, []Event)) error
}

// wire is an event as it travels.
type wire struct {
	Version int             `json:"version"`
	ID      string          `json:"id"`
	Type    string          `json:"type"`
	Record  string          `json:"record"`
	Actor   string          `json:"actor,omitempty"`
	Before  json.RawMessage `json:"before"`
	After   json.RawMessage `json:"after"`
	Time    time.Time       `json:"time"`
}

// Encode is the event as it travels.
func Encode(e Event) ([]byte, error) {
	text, err := json.Marshal(wire{
		Version: version, ID: e.ID, Type: e.Type, Record: e.Record, Actor: e.Actor, Before: e.Before, After: e.After, Time: e.Time,
	})
	if err != nil {
		return nil, fmt.Errorf("encode event %s: %w", e.ID, err)
	}
	return text, nil
}

// Decode reads what Encode wrote. Fields it does not know are left aside: a newer publisher may have more to say.
func Decode(text []byte) (Event, error) {
	var w wire
	if err := json.Unmarshal(text, &w); err != nil {
		return Event{}, fmt.Errorf("decode event: %w", err)
	}
	if w.Version != version {
		return Event{}, fmt.Errorf("event %q has version %d, want %d", w.ID, w.Version, version)
	}
	if w.ID == "" || w.Type == "" || w.Record == "" {
		return Event{}, fmt.Errorf("event %q has no id, type or record", w.ID)
	}
	return Event{
		ID: w.ID, Type: w.Type, Record: w.Record, Actor: w.Actor, Before: present(w.Before), After: present(w.After), Time: w.Time,
	}, nil
}

// present is nil for JSON's null.
func present(text json.RawMessage) json.RawMessage {
	if string(text) == "null" {
		return nil
	}
	return text
}

// Stored returns the ids of the events that are stored, as Publish promises, where failed tells of each whether it failed.
func Stored(list []Event, failed func(i int) bool) []string {
	broken := map[string]bool{}
	stored := make([]string, 0, len(list))
	for i, e := range list {
		if failed(i) {
			broken[e.Record] = true
		}
		if !broken[e.Record] {
			stored = append(stored, e.ID)
		}
	}
	return stored
}
