// Command ratingproducer sends rating events of a file to Kafka.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/time/rate"

	"movieexample.com/fleet/services/internal/broker"
	"movieexample.com/fleet/services/rating/internal/controller"
	"movieexample.com/fleet/services/rating/internal/event"
	"movieexample.com/fleet/services/rating/internal/producer"
)

// Exit codes: a file that was sent in part can be sent again, a mistake must be put right first.
const (
	exitIncomplete = 1
	exitMistake    = 2
)

type options struct {
	topic       string
	recordTypes []string
	retention   time.Duration
	skipRefused bool
	timeout     time.Duration
	rate        float64
}

// check refuses a rate at which nothing would ever be sent.
func (o options) check() error {
	if o.rate < 0 || math.IsNaN(o.rate) {
		return fmt.Errorf("--rate is %g, want events per second, or 0 for as fast as the brokers take them", o.rate)
	}
	return nil
}

// pace spreads the events over time; nil for none.
func (o options) pace() func(context.Context) error {
	if o.rate == 0 {
		return nil
	}
	return rate.NewLimiter(rate.Limit(o.rate), max(1, int(o.rate/10))).Wait
}

func (o options) rules() controller.Rules {
	return controller.Rules{RecordTypes: o.recordTypes, Retention: o.retention}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := command().ExecuteContext(ctx)
	stop()
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, "ratingproducer:", err)
	if errors.Is(err, producer.ErrIncomplete) {
		os.Exit(exitIncomplete)
	}
	os.Exit(exitMistake)
}

func command() *cobra.Command {
	var o options
	c := &cobra.Command{
		Use:   "ratingproducer FILE",
		Short: "Send rating events, an array in JSON or one event a line, to Kafka",
		Long: `Send rating events, an array in JSON or one event a line, to Kafka; - reads standard input.

All events are checked before the first is sent, and each is acknowledged by the brokers. The connection is the binding
kafka below $SERVICE_BINDING_ROOT. An event that tells when it occurred and has no eventId gets one that is the same
whenever the file is sent again.

Exit codes: 0 all were sent, 1 some were not, 2 a mistake in flags, file or binding.`,
		Args:          cobra.ExactArgs(1),
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(cmd *cobra.Command, args []string) error {
			return run(cmd.Context(), o, args[0], cmd.OutOrStdout())
		},
	}
	c.Flags().StringVar(&o.topic, "topic", "ratings", "topic of rating events; it must be there")
	c.Flags().StringSliceVar(&o.recordTypes, "record-types", []string{"movie"}, "kinds of records that may be rated")
	c.Flags().DurationVar(&o.retention, "retention", controller.DefaultRetention, "how old an event may be, as rating has it in tombstones.retention")
	c.Flags().BoolVar(&o.skipRefused, "skip-refused", false, "send the good events of a file that has bad ones too")
	c.Flags().DurationVar(&o.timeout, "timeout", 30*time.Second, "longest wait for the acknowledgement of one event")
	c.Flags().Float64Var(&o.rate, "rate", 0, "events per second; 0 sends as fast as the brokers take them")
	return c
}

func run(ctx context.Context, o options, name string, out io.Writer) error {
	if err := o.check(); err != nil {
		return err
	}
	file, err := open(name)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // it was only read
	client, err := broker.NewClient(broker.FromBinding, "ratingproducer",
		kgo.RequiredAcks(kgo.AllISRAcks()), kgo.RecordDeliveryTimeout(o.timeout), kgo.ProducerLinger(5*time.Millisecond),
		kgo.AllowIdempotentProduceCancellation())
	if err != nil {
		return err
	}
	defer client.Close()
	p := producer.Producer{
		Client: client, Topic: o.topic, SkipRefused: o.skipRefused, Pace: o.pace(), Now: time.Now, Told: os.Stderr,
		Check: func(e event.Event) error { return o.rules().Check(e.Write(), time.Now()) },
	}
	counts, err := p.Run(ctx, file)
	_, _ = fmt.Fprintf(out, "sent %d, refused %d, not sent %d\n", counts.Sent, counts.Refused, counts.Unsent)
	return err
}

// open copies standard input to a file: events are read twice, once to check them all.
func open(name string) (*os.File, error) {
	if name != "-" {
		return os.Open(name) //nolint:gosec // the user names the file
	}
	file, err := os.CreateTemp("", "ratingproducer-")
	if err != nil {
		return nil, fmt.Errorf("keep standard input: %w", err)
	}
	if err := errors.Join(os.Remove(file.Name()), copyInput(file)); err != nil { // it goes when it is closed
		return nil, errors.Join(fmt.Errorf("keep standard input: %w", err), file.Close())
	}
	return file, nil
}

func copyInput(to *os.File) error {
	if _, err := io.Copy(to, os.Stdin); err != nil {
		return err
	}
	_, err := to.Seek(0, io.SeekStart)
	return err
}
