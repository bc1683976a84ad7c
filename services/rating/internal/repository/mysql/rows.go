package mysql

import (
	"encoding/json"
	"fmt"
	"strconv"

	"movieexample.com/fleet/services/rating/internal/model"
)

// found is what the server says of a row that it has stored: the value that was there before, or one of the constants.
type found int

const (
	noRow     found = -3 // NULL to the server
	duplicate found = -2
	stale     found = -1
	tombstone found = 0
)

func parseFound(text []byte) (found, error) {
	if text == nil {
		return noRow, nil
	}
	n, err := strconv.Atoi(string(text))
	if err != nil || found(n) < duplicate || n > model.MaxValue {
		return 0, fmt.Errorf("store rows: the server says that a row was %q before", text)
	}
	return found(n), nil
}

func (f found) outcome() model.Outcome {
	switch f {
	case stale:
		return model.Stale
	case duplicate:
		return model.Duplicate
	default:
		return model.Applied
	}
}

// change is what the write changed in the aggregate of its record.
func (f found) change(w model.Write) model.Aggregate {
	if f == stale || f == duplicate {
		return model.Aggregate{}
	}
	change := model.Contribution(w)
	if f > tombstone {
		change = change.Plus(model.Aggregate{Sum: -int64(f), Count: -1})
	}
	return change
}

const (
	timeFormat = "2006-01-02 15:04:05.000000"
	rowSize    = 100 // in bytes, of ids of common length
)

// encodeWrites is what upsertRowsSQL reads: [[type, id, user, value, time], …]. A deletion is the value 0.
func encodeWrites(writes []model.Write, order []int) string {
	b := append(make([]byte, 0, rowSize*len(order)), '[')
	for i, at := range order {
		w := &writes[at]
		value := int64(w.Value)
		if w.Deleted {
			value = 0
		}
		b = appendRecord(b, i, w.Key.Record)
		b = appendString(append(b, ','), w.Key.UserID)
		b = strconv.AppendInt(append(b, ','), value, 10)
		b = w.OccurredAt.UTC().AppendFormat(append(b, `,"`...), timeFormat)
		b = append(b, `"]`...)
	}
	return string(append(b, ']'))
}

// encodeDeltas is what changeAggregatesSQL reads: [[type, id, sum, count], …].
func encodeDeltas(deltas []delta) string {
	b := append(make([]byte, 0, rowSize*len(deltas)), '[')
	for i, d := range deltas {
		b = appendRecord(b, i, d.record)
		b = strconv.AppendInt(append(b, ','), d.change.Sum, 10)
		b = strconv.AppendInt(append(b, ','), d.change.Count, 10)
		b = append(b, ']')
	}
	return string(append(b, ']'))
}

// appendRecord begins the i-th row.
func appendRecord(b []byte, i int, record model.Record) []byte {
	if i > 0 {
		b = append(b, ',')
	}
	b = appendString(append(b, '['), record.Type)
	return appendString(append(b, ','), record.ID)
}

// appendString spares ids of letters and digits, which are nearly all, the way through encoding/json.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			text, _ := json.Marshal(s) // of a string it does not fail
			return append(b, text...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}
