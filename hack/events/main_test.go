package main

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"
)

func TestWrite(t *testing.T) {
	var out bytes.Buffer
	if err := write(&out, 40, 10, movies([]string{"4"}), time.Unix(1_700_000_000, 0)); err != nil {
		t.Fatal(err)
	}
	pairs, ids := map[string]bool{}, map[string]bool{}
	lines := json.NewDecoder(&out)
	for lines.More() {
		var e event
		if err := lines.Decode(&e); err != nil {
			t.Fatal(err)
		}
		if e.Value < 1 || e.Value > 5 || e.OccurredAt.IsZero() || ids[e.ID] {
			t.Errorf("event %+v, want a value from 1 to 5, a time, and an id of its own", e)
		}
		ids[e.ID], pairs[e.UserID+" "+e.RecordID] = true, true
	}
	if len(ids) != 40 || len(pairs) != 40 {
		t.Errorf("%d events of %d pairs of user and movie, want 40 of 40: none again before all were there", len(ids), len(pairs))
	}
	if err := write(&out, 1, 0, movies([]string{"a", "b"}), time.Now()); err == nil {
		t.Error("write for 0 users = nil, want an error")
	}
}
