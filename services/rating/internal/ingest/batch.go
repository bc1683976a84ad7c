package ingest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"movieexample.com/fleet/services/internal/storage"
	"movieexample.com/fleet/services/rating/internal/deadletter"
	"movieexample.com/fleet/services/rating/internal/event"
	"movieexample.com/fleet/services/rating/internal/model"
)

// poison is the error of a batch that will fail again however often it is tried: one of its events breaks it.
type poison struct {
	cause string
	err   error
}

func (e *poison) Error() string { return e.err.Error() }

func (e *poison) Unwrap() error { return e.err }

// take brings the records into the database, however long it takes, and returns the next offset. It fails only when the
// partition is to be given back, or is somewhere else.
func (p *partition) take(next int64, records []*kgo.Record) (int64, error) {
	items, err := p.judge(records)
	if err != nil {
		return next, err
	}
	p.place.hold(oldest(items))
	ctx, end := p.begun(p.hard, items)
	defer end()
	if err := p.store(ctx, next, items); err != nil {
		return next, err
	}
	return p.spanOf(next, items).Next, nil
}

// store stores the items in one transaction, or in several if one of them breaks it.
func (p *partition) store(ctx context.Context, from int64, items []item) error {
	err := p.untilStored(ctx, from, items)
	broken, ok := errors.AsType[*poison](err)
	if !ok {
		return err
	}
	if len(items) == 1 && !items[0].good() {
		return broken.err // it is not the event that breaks it
	}
	if len(items) == 1 {
		items[0].bury(broken.cause, broken.err)
		return p.store(ctx, from, items)
	}
	half := len(items) / 2
	if err := p.store(ctx, from, items[:half]); err != nil {
		return err
	}
	return p.store(ctx, p.spanOf(from, items[:half]).Next, items[half:])
}

// untilStored tries again as long as waiting may help.
func (p *partition) untilStored(ctx context.Context, from int64, items []item) error {
	for wait := newBackoff(); ; {
		began := p.Now()
		err := p.attempt(ctx, from, items)
		if err == nil {
			p.trouble.away.works(forDatabase)
			p.metrics.batch(len(items), p.Now().Sub(began))
			p.place.move(p.spanOf(from, items).Next, newest(items))
			return nil
		}
		if _, broken := errors.AsType[*poison](err); broken || errors.Is(err, model.ErrMoved) || ctx.Err() != nil {
			return err
		}
		p.metrics.failed(p.source.Partition, items)
		p.trouble.tell(ctx, fmt.Sprintf("A batch of partition %d failed and is tried again", p.source.Partition), err)
		wait.pause(p.life) //nolint:contextcheck // a partition that is given back waits no longer
		if p.life.Err() != nil {
			return p.life.Err() // others will consume it: nothing of it is stored
		}
	}
}

// attempt writes the dead letters and waits until they are safe, and then stores all else and the position.
func (p *partition) attempt(ctx context.Context, from int64, items []item) error {
	if err := p.post(ctx, items); err != nil {
		return err
	}
	outcomes, err := p.ingest(ctx, p.spanOf(from, items), writes(items))
	if err != nil {
		return err
	}
	p.metrics.consumed(p.source.Partition, items, outcomes)
	return nil
}

// ingest turns what will never succeed into poison: a panic, and values that the database does not take.
func (p *partition) ingest(ctx context.Context, span model.Span, writes []model.Write) (outcomes []model.Outcome, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the transaction that a panic leaves
	defer func() {
		if broke := recover(); broke != nil {
			err = &poison{deadletter.CausePanic, fmt.Errorf("panic: %v", broke)}
		}
	}()
	outcomes, err = p.Store.Ingest(ctx, span, writes, p.Now().UTC().Truncate(time.Microsecond))
	switch {
	case storage.BadData(err):
		return nil, &poison{event.CauseInvalid, err}
	case err == nil && len(outcomes) != len(writes):
		return nil, fmt.Errorf("%d outcomes for %d events", len(outcomes), len(writes))
	}
	return outcomes, err
}
