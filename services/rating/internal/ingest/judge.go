package ingest

import (
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"movieexample.com/fleet/services/rating/internal/deadletter"
	"movieexample.com/fleet/services/rating/internal/event"
	"movieexample.com/fleet/services/rating/internal/model"
)

// item is one record of a batch: an event to apply, a dead letter, or neither if it only marks a transaction's end.
type item struct {
	record *kgo.Record
	write  model.Write
	letter *deadletter.Letter // nil for a good event
	posted bool               // the letter is written
	failed bool               // a try to store it failed, and it is counted for that
}

func (i *item) event() bool { return !i.record.Attrs.IsControl() }

func (i *item) good() bool { return i.event() && i.letter == nil }

// bury makes the event a dead letter.
func (i *item) bury(cause string, err error) {
	letter := deadletter.New(i.record, cause, err)
	i.letter = &letter
}

// judge holds all events to the rules. Only the context's end is an error.
func (p *partition) judge(records []*kgo.Record) ([]item, error) {
	items := make([]item, len(records))
	for n, r := range records {
		i := &items[n]
		i.record = r
		if !i.event() {
			continue
		}
		write, cause, err := p.judgeOne(r)
		if p.life.Err() != nil {
			return nil, p.life.Err()
		}
		i.write = write
		if err != nil {
			i.bury(cause, err)
		}
	}
	return items, nil
}

// judgeOne is what the event does to ratings, or why it is refused. An event that breaks the program breaks nothing else.
func (p *partition) judgeOne(r *kgo.Record) (write model.Write, cause string, err error) {
	defer func() {
		if broke := recover(); broke != nil {
			write, cause, err = model.Write{}, deadletter.CausePanic, fmt.Errorf("panic: %v", broke)
		}
	}()
	if err := p.Fault(p.life, r.Partition); err != nil {
		return model.Write{}, deadletter.CausePanic, err
	}
	e, err := event.Parse(r.Value)
	if refusal, ok := errors.AsType[*event.Refusal](err); ok {
		return model.Write{}, refusal.Cause, err
	}
	if e.OccurredAt.IsZero() {
		e.OccurredAt = r.Timestamp
	}
	write, now := e.Write(), p.Now()
	if err := p.Rules.Check(write, now); err != nil {
		if p.Rules.Expired(write, now) {
			return model.Write{}, deadletter.CauseExpired, err
		}
		return model.Write{}, event.CauseInvalid, err
	}
	return write, "", nil
}

// writes are what the good events do.
func writes(items []item) []model.Write {
	list := make([]model.Write, 0, len(items))
	for i := range items {
		if items[i].good() {
			list = append(list, items[i].write)
		}
	}
	return list
}

func oldest(items []item) time.Time { return items[0].record.Timestamp }

func newest(items []item) time.Time { return items[len(items)-1].record.Timestamp }

// spanOf is what the items cover, if the source is at from.
func (p *partition) spanOf(from int64, items []item) model.Span {
	return model.Span{Source: p.source, From: from, Next: items[len(items)-1].record.Offset + 1}
}
