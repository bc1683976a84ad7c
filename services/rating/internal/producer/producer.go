package producer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kgo"

	"movieexample.com/fleet/services/internal/broker"
	"movieexample.com/fleet/services/rating/internal/event"
)

// maxTold bounds what is told of single lines.
const maxTold = 20

// namespace makes ids of events that come without one: the same event has the same id, however often its file is sent.
var namespace = uuid.MustParse("6d6f7669-652d-466c-8565-742d72617465") // a constant

// Client is what it takes of a Kafka client.
type Client interface {
	Produce(ctx context.Context, r *kgo.Record, promise func(*kgo.Record, error))
	Flush(ctx context.Context) error
}

// Producer sends one file.
type Producer struct {
	Client Client
	Topic  string
	// Check holds an event to the rules that depend on settings or on the clock.
	Check func(event.Event) error
	// SkipRefused sends the good events of a file that has bad ones too. Else such a file is not sent at all.
	SkipRefused bool
	// Pace waits before each event is sent; nil: none does.
	Pace func(context.Context) error
	Now  func() time.Time
	// Told gets a line for each event that is refused or not sent, up to a bound.
	Told io.Writer
}

// Counts are what became of a file's events.
type Counts struct {
	Sent    int // acknowledged by all replicas in sync
	Refused int // break a rule
	Unsent  int // good, and not acknowledged
}

// ErrIncomplete means that not every event of the file was sent.
var ErrIncomplete = errors.New("not all events were sent")

// Run reads the file twice: first it checks all events, then it sends them. It returns when each is acknowledged or given
// up; ErrIncomplete says that some are not.
func (p *Producer) Run(ctx context.Context, file io.ReadSeeker) (Counts, error) {
	counts, err := p.check(ctx, file)
	if err != nil {
		return counts, err
	}
	if counts.Refused > 0 && !p.SkipRefused {
		return counts, fmt.Errorf("%w: put the refused events right, or send the others with --skip-refused", ErrIncomplete)
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return counts, fmt.Errorf("read the file again: %w", err)
	}
	sent, err := p.send(ctx, file)
	counts.Sent = sent
	counts.Unsent -= sent
	switch {
	case err != nil:
		return counts, err
	case counts.Refused > 0 || counts.Unsent > 0:
		return counts, ErrIncomplete
	}
	return counts, nil
}

// check counts the good events as unsent.
func (p *Producer) check(ctx context.Context, file io.Reader) (Counts, error) {
	var counts Counts
	err := read(file, func(line int, text []byte) error {
		if _, err := p.parse(text); err != nil {
			counts.Refused++
			p.tell(counts.Refused, "line %d refused: %v", line, err)
			return ctx.Err()
		}
		counts.Unsent++
		return ctx.Err()
	})
	return counts, err
}

func (p *Producer) parse(text []byte) (event.Event, error) {
	e, err := event.Parse(text)
	if err != nil {
		return e, err
	}
	if e.OccurredAt.IsZero() {
		e.OccurredAt = p.Now()
	} else if e.ID == "" {
		e.ID = uuid.NewSHA1(namespace, text).String()
	}
	if e.ID == "" {
		e.ID = uuid.NewString() // it occurs now, and again when the file is sent again
	}
	return e, p.Check(e)
}

func (p *Producer) tell(n int, format string, args ...any) {
	switch {
	case n <= maxTold:
		_, _ = fmt.Fprintf(p.Told, format+"\n", args...) // what cannot be told is counted all the same
	case n == maxTold+1:
		_, _ = fmt.Fprintln(p.Told, "… and more")
	}
}

// outcome collects acknowledgements, which come from the client's goroutines.
type outcome struct {
	mu     sync.Mutex
	sent   int
	failed int
	cause  error
}

// send gives up at the first refusal that holds for all events, such as a right that is not granted.
func (p *Producer) send(ctx context.Context, file io.Reader) (int, error) {
	ctx, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	var out outcome
	err := read(file, func(line int, text []byte) error {
		e, refused := p.parse(text)
		if refused != nil {
			return nil //nolint:nilerr // told of before: the file goes on
		}
		value, err := e.Encode()
		if err != nil {
			return err
		}
		if err := p.wait(ctx); err != nil {
			return err
		}
		p.Client.Produce(ctx, &kgo.Record{Topic: p.Topic, Key: e.Key(), Value: value}, func(_ *kgo.Record, err error) {
			p.answered(&out, line, err, giveUp)
		})
		return ctx.Err() // Produce has waited where too many are on their way
	})
	flushed := p.Client.Flush(context.WithoutCancel(ctx)) // each record has its own time limit
	out.mu.Lock()
	defer out.mu.Unlock()
	switch {
	case out.cause != nil:
		reason := broker.Reason(out.cause)
		return out.sent, fmt.Errorf("%w: %w: %s", ErrIncomplete, out.cause, broker.Advice(reason))
	case ctx.Err() != nil:
		return out.sent, fmt.Errorf("%w: interrupted", ErrIncomplete)
	}
	return out.sent, errors.Join(err, flushed)
}

func (p *Producer) wait(ctx context.Context) error {
	if p.Pace == nil {
		return nil
	}
	return p.Pace(ctx)
}

func (p *Producer) answered(out *outcome, line int, err error, giveUp context.CancelCauseFunc) {
	out.mu.Lock()
	defer out.mu.Unlock()
	if err == nil {
		out.sent++
		return
	}
	if errors.Is(err, context.Canceled) {
		return // given up because of another one, or by the user
	}
	out.failed++
	if out.cause == nil {
		out.cause = err
	}
	p.tell(out.failed, "line %d not sent: %v", line, err)
	if broker.Reason(err) != broker.ReasonTooLarge {
		giveUp(err)
	}
}
