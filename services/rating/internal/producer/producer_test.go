package producer_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"movieexample.com/fleet/services/rating/internal/event"
	"movieexample.com/fleet/services/rating/internal/producer"
)

// client acknowledges what refuse lets pass.
type client struct {
	mu     sync.Mutex
	sent   []event.Event
	keys   []string
	refuse func(n int) error
}

func (c *client) Produce(ctx context.Context, r *kgo.Record, promise func(*kgo.Record, error)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if ctx.Err() != nil {
		promise(r, ctx.Err())
		return
	}
	if c.refuse != nil {
		if err := c.refuse(len(c.sent)); err != nil {
			promise(r, err)
			return
		}
	}
	e, err := event.Parse(r.Value)
	if err == nil {
		c.sent = append(c.sent, e)
		c.keys = append(c.keys, string(r.Key))
	}
	promise(r, err)
}

func (c *client) Flush(context.Context) error { return nil }

func line(user string, value int) string {
	return fmt.Sprintf(`{"version":2,"eventId":"%[1]s","eventType":"put","userId":"%[1]s","recordId":"1","recordType":"movie","value":%d,"occurredAt":"2024-05-06T07:08:09Z"}`, user, value)
}

var now = time.Date(2024, 6, 7, 8, 9, 10, 0, time.UTC)

type result struct {
	counts producer.Counts
	err    error
	told   string
	client *client
}

func run(t *testing.T, input string, change func(*producer.Producer, *client)) result {
	t.Helper()
	r := result{client: &client{}}
	var told bytes.Buffer
	p := &producer.Producer{
		Client: r.client, Topic: "ratings", Told: &told, Now: func() time.Time { return now },
		Check: func(e event.Event) error {
			if e.RecordType != "movie" {
				return errors.New("not a movie")
			}
			return nil
		},
	}
	if change != nil {
		change(p, r.client)
	}
	r.counts, r.err = p.Run(t.Context(), strings.NewReader(input))
	r.told = told.String()
	return r
}

func users(list []event.Event) []string {
	names := make([]string, len(list))
	for i, e := range list {
		names[i] = e.UserID
	}
	return names
}

func TestForms(t *testing.T) {
	a, b := line("a", 1), line("b", 2)
	for name, input := range map[string]string{
		"lines":                 a + "\n" + b + "\n",
		"no last line break":    a + "\n" + b,
		"empty lines":           "\n\n  " + a + "\r\n\n" + b + "\n\n",
		"array":                 "[" + a + "," + b + "]",
		"array over many lines": "\n [\n" + strings.ReplaceAll(a, ",", ",\n") + "\n,\n" + b + "]\n",
	} {
		t.Run(name, func(t *testing.T) {
			r := run(t, input, nil)
			if r.err != nil || r.counts != (producer.Counts{Sent: 2}) {
				t.Fatalf("Run = %+v, %v, want 2 sent; told: %s", r.counts, r.err, r.told)
			}
			if diff := cmp.Diff([]string{"a", "b"}, users(r.client.sent)); diff != "" {
				t.Errorf("users (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]string{"movie/1", "movie/1"}, r.client.keys); diff != "" {
				t.Errorf("keys (-want +got):\n%s", diff)
			}
		})
	}
}

func TestInputThatIsNone(t *testing.T) {
	for name, c := range map[string]struct{ input, want string }{
		"empty":           {"", "the input is empty"},
		"space":           {" \n ", "the input is empty"},
		"array ends":      {"[" + line("a", 1) + ",\n", "after line 1: "},
		"array of rubble": {"[\n" + line("a", 1) + ",\n\n}]", "after line 2: "},
		"long line":       {line("a", 1) + "\n" + strings.Repeat(" ", 2<<20), "line 2 is longer"},
	} {
		t.Run(name, func(t *testing.T) {
			r := run(t, c.input, nil)
			if r.err == nil || errors.Is(r.err, producer.ErrIncomplete) || !strings.Contains(r.err.Error(), c.want) {
				t.Errorf("Run = %v, want %q", r.err, c.want)
			}
			if len(r.client.sent) != 0 {
				t.Errorf("%d events sent, want none of a file that is broken", len(r.client.sent))
			}
		})
	}
}

func TestRefused(t *testing.T) {
	input := line("a", 1) + "\n" + line("b", 9) + "\n\nrubble\n" + strings.Replace(line("c", 3), "movie", "series", 1) + "\n" + line("d", 4) + "\n"
	r := run(t, input, nil)
	if !errors.Is(r.err, producer.ErrIncomplete) || r.counts != (producer.Counts{Refused: 3, Unsent: 2}) || len(r.client.sent) != 0 {
		t.Errorf("Run = %+v, %v with %d sent, want 3 refused and none sent", r.counts, r.err, len(r.client.sent))
	}
	for _, want := range []string{"line 2 refused: ", "line 4 refused: is no event", "line 5 refused: not a movie"} {
		if !strings.Contains(r.told, want) {
			t.Errorf("told: %s\nwant %q", r.told, want)
		}
	}
	r = run(t, input, func(p *producer.Producer, _ *client) { p.SkipRefused = true })
	if !errors.Is(r.err, producer.ErrIncomplete) || r.counts != (producer.Counts{Sent: 2, Refused: 3}) {
		t.Errorf("Run, skipping = %+v, %v, want 2 sent, 3 refused and ErrIncomplete", r.counts, r.err)
	}
}

func TestToldIsBounded(t *testing.T) {
	r := run(t, strings.Repeat("rubble\n", 1000), nil)
	if n := strings.Count(r.told, "\n"); n != 21 || r.counts.Refused != 1000 {
		t.Errorf("%d lines told of %d refused, want 21 of 1000", n, r.counts.Refused)
	}
}

// One event that is too large is passed over; a topic that is not there ends the sending at once.
func TestNotSent(t *testing.T) {
	input := strings.Repeat(line("a", 1)+"\n", 100)
	r := run(t, input, func(_ *producer.Producer, c *client) {
		first := true
		c.refuse = func(n int) error {
			if n == 10 && first {
				first = false
				return kerr.MessageTooLarge
			}
			return nil
		}
	})
	if !errors.Is(r.err, producer.ErrIncomplete) || r.counts != (producer.Counts{Sent: 99, Unsent: 1}) || !strings.Contains(r.told, "line 11 not sent: MESSAGE_TOO_LARGE") {
		t.Errorf("Run = %+v, %v, want 99 sent and line 11 not; told: %s", r.counts, r.err, r.told)
	}
	r = run(t, input, func(_ *producer.Producer, c *client) {
		c.refuse = func(n int) error {
			if n == 10 {
				return kerr.UnknownTopicOrPartition
			}
			return nil
		}
	})
	if r.counts != (producer.Counts{Sent: 10, Unsent: 90}) || !strings.Contains(r.err.Error(), "create the topic") || strings.Count(r.told, "\n") != 1 {
		t.Errorf("Run = %+v, %v, want 10 sent and what to do; told: %s", r.counts, r.err, r.told)
	}
}

// Old events get the newest version, a time and an id; the id is the same whenever their file is sent, if they have a time.
func TestOldEvents(t *testing.T) {
	const timed = `{"eventType":"delete","userId":"a","recordId":"1","recordType":1,"occurredAt":"2024-05-06T07:08:09Z"}`
	const untimed = `{"eventType":"put","userId":"b","recordId":"1","recordType":1,"value":3}`
	first, second := run(t, timed+"\n"+untimed, nil), run(t, timed+"\n"+untimed, nil)
	for _, r := range []result{first, second} {
		if r.err != nil || len(r.client.sent) != 2 {
			t.Fatalf("Run = %v with %d sent, want 2; told: %s", r.err, len(r.client.sent), r.told)
		}
	}
	a, b := first.client.sent, second.client.sent
	if a[0] != b[0] || a[0].ID == "" {
		t.Errorf("an event with a time = %v, then %v, want the same with an id", a[0], b[0])
	}
	if a[1].ID == "" || a[1].ID == b[1].ID || !a[1].OccurredAt.Equal(now) {
		t.Errorf("an event without a time = %v, then %v, want ids of their own and the time now", a[1], b[1])
	}
}

func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c := &client{}
	c.refuse = func(n int) error {
		if n == 5 {
			cancel()
			return context.Canceled
		}
		return nil
	}
	p := &producer.Producer{
		Client: c, Topic: "ratings", Told: &bytes.Buffer{}, Now: time.Now, Check: func(event.Event) error { return nil },
	}
	counts, err := p.Run(ctx, strings.NewReader(strings.Repeat(line("a", 1)+"\n", 100)))
	if counts.Sent != 5 || counts.Unsent != 95 || !errors.Is(err, producer.ErrIncomplete) {
		t.Errorf("Run = %+v, %v, want 5 sent and ErrIncomplete", counts, err)
	}
}

func TestPaced(t *testing.T) {
	var waits []int // how many events had been sent at each wait
	r := run(t, line("a", 1)+"\n"+line("b", 2)+"\n"+line("c", 3), func(p *producer.Producer, c *client) {
		p.Pace = func(context.Context) error {
			waits = append(waits, len(c.sent))
			if len(waits) == 3 {
				return errors.New("no more")
			}
			return nil
		}
	})
	if diff := cmp.Diff([]int{0, 1, 2}, waits); diff != "" || r.counts.Sent != 2 || r.err == nil {
		t.Errorf("%d sent, %v, waits after (-want +got):\n%s\nwant 2 sent, one wait before each, and the end of the third", r.counts.Sent, r.err, diff)
	}
}
