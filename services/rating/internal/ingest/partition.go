package ingest

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"movieexample.com/fleet/services/internal/telemetry"
	"movieexample.com/fleet/services/rating/internal/model"
)

// partition is the work on one partition while the member has it.
type partition struct {
	*member

	source model.Source
	place  place
	failed bool // since it began last

	life   context.Context // ends when the partition is to be given back
	end    context.CancelFunc
	hard   context.Context // ends when what is under way is to be given up
	giveUp context.CancelFunc
	done   chan struct{} // closed when nothing is under way any more
}

func newPartition(m *member, source model.Source) *partition {
	p := &partition{member: m, source: source, done: make(chan struct{})}
	p.place.since, p.place.committed = m.Now(), -1
	m.metrics.show(strconv.Itoa(int(source.Partition)))
	p.hard, p.giveUp = context.WithCancel(m.hard)
	p.life, p.end = context.WithCancel(p.hard)
	return p
}

// run consumes until the partition is given back. After each failure it begins anew at what the database says by then.
func (p *partition) run() {
	defer close(p.done)
	defer p.giveUp()
	for wait := newBackoff(); p.life.Err() == nil; {
		moved, err := p.consume()
		if moved {
			wait = newBackoff()
		}
		if p.life.Err() != nil {
			return
		}
		p.note(err)
		if errors.Is(err, model.ErrMoved) {
			sleep(p.life, p.SessionTimeout/heartbeats*2) // meanwhile the group says whose the partition is
			continue
		}
		wait.pause(p.life)
	}
}

// note tells why consuming ended.
func (p *partition) note(err error) {
	if !errors.Is(err, model.ErrMoved) {
		p.failed = true
		p.trouble.tell(p.life, fmt.Sprintf("Partition %d is not consumed", p.source.Partition), err)
		return
	}
	// Either another member has the partition, and this one will learn that it has not; or somebody rewound it; or the
	// database took the batch, and the answer was lost.
	p.metrics.fenced.Inc()
	p.Log.WarnContext(p.life, "A batch was given up: the partition's position has moved",
		"partition", p.source.Partition, telemetry.KeyError, err)
}

// consume reads from the database's position on, until something fails. It tells whether any batch was stored.
func (p *partition) consume() (moved bool, err error) {
	next, err := p.begin()
	if err != nil {
		return false, err
	}
	r, err := newReader(p.Read, p.ClientID, p.source, next)
	if err != nil {
		return false, err
	}
	defer r.close()
	for {
		records, end, err := r.read(p.life, p.BatchEvents)
		p.place.endsAt(end)
		if errors.Is(err, kerr.OffsetOutOfRange) {
			err = p.leap(next)
		} else if loss, ok := errors.AsType[*kgo.ErrDataLoss](err); ok {
			err = p.goBack(next, loss.ResetTo)
		}
		if err == nil && len(records) == 0 {
			err = p.confirm(next)
		}
		if err != nil {
			return moved, err
		}
		if len(records) == 0 {
			continue
		}
		if next, err = p.take(next, records); err != nil {
			return moved, err
		}
		moved = true
	}
}

// confirm asks the database while no event comes: who waits for the next one would not notice that the partition was rewound.
func (p *partition) confirm(next int64) error {
	at, _, err := p.Store.Position(p.life, p.source)
	if err == nil && at != next {
		err = fmt.Errorf("%w: it is at %d, not at %d", model.ErrMoved, at, next)
	}
	return err
}

// begin is where the database says that the partition is. A partition that the group has never begun with begins at the
// earliest event that there is.
func (p *partition) begin() (int64, error) {
	next, found, err := p.Store.Position(p.life, p.source)
	if err != nil {
		return 0, err
	}
	if !found {
		earliest, _, err := p.bounds()
		if err != nil {
			return 0, err
		}
		if next, err = p.Store.Begin(p.life, p.source, earliest); err != nil {
			return 0, err
		}
	}
	// Before anything is read: where a bad revision has begun must be known whatever becomes of it.
	if err := p.Store.Hold(p.life, p.source, p.Revision, next, p.Now()); err != nil {
		return 0, err
	}
	if p.failed { // who waits for events stores nothing that would tell
		p.trouble.away.works(forDatabase)
		p.failed = false
	}
	p.place.begin(next)
	p.compare(p.life, p.source.Partition, next)
	return next, nil
}

// bounds are the offsets of the earliest event, and after the latest.
func (p *partition) bounds() (earliest, end int64, err error) {
	ctx, cancel := context.WithTimeout(p.life, askTimeout)
	defer cancel()
	starts, err := p.admin.ListStartOffsets(ctx, p.Topic)
	if err != nil {
		return 0, 0, p.unbounded(err)
	}
	ends, err := p.admin.ListEndOffsets(ctx, p.Topic)
	if err != nil {
		return 0, 0, p.unbounded(err)
	}
	first, found := starts.Lookup(p.Topic, p.source.Partition)
	last, foundEnd := ends.Lookup(p.Topic, p.source.Partition)
	if !found || !foundEnd {
		return 0, 0, p.unbounded(kerr.UnknownTopicOrPartition)
	}
	if err := errors.Join(first.Err, last.Err); err != nil {
		return 0, 0, p.unbounded(err)
	}
	return first.Offset, last.Offset, nil
}

func (p *partition) unbounded(err error) error {
	return &brokerError{fmt.Sprintf("ask where partition %d begins and ends", p.source.Partition), "Describe on topic " + p.Topic, err}
}

// leap goes on where the topic has events, when it has none at the position any more. Retention may have removed them
// before they were consumed: those are lost, and counted. A broker may have lost its latest ones: then all that it has is
// read again, for some of it is new, and what is known already changes nothing.
func (p *partition) leap(next int64) error {
	earliest, end, err := p.bounds()
	if err != nil {
		return err
	}
	switch {
	case next < earliest:
		if _, err := p.Store.Ingest(p.hard, model.Span{Source: p.source, From: next, Next: earliest}, nil, p.Now()); err != nil {
			return err
		}
		p.metrics.missed.Add(float64(earliest - next))
		p.Log.ErrorContext(p.life, "Events were removed from the topic before they were consumed: its retention is too short, or the group was "+
			"away for too long", "partition", p.source.Partition, "from", next, "to", earliest)
	case next > end:
		if err := p.Store.Rewind(p.hard, p.source, earliest); err != nil {
			return err
		}
		p.place.lost(end)
		p.Log.ErrorContext(p.life, "The topic ends before what was consumed: a broker lost events; reading all that there is again",
			"partition", p.source.Partition, "position", next, "end", end)
	}
	return errAgain
}

// goBack reads again from where a new leader's events differ from what was consumed: a broker lost the others. By the position
// alone nobody would know as soon as as many new ones have come.
func (p *partition) goBack(next, to int64) error {
	if to < next {
		if err := p.Store.Rewind(p.hard, p.source, to); err != nil {
			return err
		}
		p.place.lost(to)
		p.Log.ErrorContext(p.life, "A broker lost events that were consumed: reading again from where it did", "partition", p.source.Partition,
			"position", next, "from", to)
	}
	return errAgain
}

// errAgain begins anew at the database's position.
var errAgain = errors.New("the position has changed")
