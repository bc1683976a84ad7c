package broker

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"movieexample.com/fleet/services/internal/binding"
)

// dialTimeout is short: within a cluster a broker that does not answer in two seconds is away.
const dialTimeout = 2 * time.Second

// Read gives the binding as it is now.
type Read func() (binding.Kafka, error)

// FromBinding reads the binding called kafka below $SERVICE_BINDING_ROOT.
func FromBinding() (binding.Kafka, error) {
	dir, err := binding.Dir("kafka")
	if err != nil {
		return binding.Kafka{}, err
	}
	return binding.ReadKafka(dir)
}

// NewClient makes a client named id in the brokers' logs. It connects when it is first used. Each new connection logs in
// with the binding as it is then, so changed credentials and authorities need no new client; a changed protocol or
// mechanism does.
func NewClient(read Read, id string, options ...kgo.Opt) (*kgo.Client, error) {
	b, err := read()
	if err != nil {
		return nil, err
	}
	all := append([]kgo.Opt{
		kgo.ClientID(id), kgo.SeedBrokers(b.BootstrapServers...), kgo.Dialer(dialer(read)),
		kgo.MetadataMinAge(time.Second), // after a broker's restart, calls wait at most so long to find it
	}, options...)
	if b.Mechanism != "" {
		all = append(all, kgo.SASL(login(read, b.Mechanism)))
	}
	client, err := kgo.NewClient(all...)
	if err != nil {
		return nil, fmt.Errorf("set up the Kafka client: %w", err)
	}
	return client, nil
}

// dialer encrypts where the binding says so.
func dialer(read Read) func(ctx context.Context, network, address string) (net.Conn, error) {
	plain := &net.Dialer{Timeout: dialTimeout}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		b, err := read()
		if err != nil {
			return nil, err
		}
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, fmt.Errorf("broker address %q: %w", address, err)
		}
		if config := b.TLS(host); config != nil {
			return (&tls.Dialer{NetDialer: plain, Config: config}).DialContext(ctx, network, address)
		}
		return plain.DialContext(ctx, network, address)
	}
}

func login(read Read, mechanism string) sasl.Mechanism {
	scramAuth := func(context.Context) (scram.Auth, error) {
		b, err := read()
		return scram.Auth{User: b.Username, Pass: b.Password}, err
	}
	switch mechanism {
	case binding.Plain:
		return plain.Plain(func(context.Context) (plain.Auth, error) {
			b, err := read()
			return plain.Auth{User: b.Username, Pass: b.Password}, err
		})
	case binding.SCRAMSHA256:
		return scram.Sha256(scramAuth)
	default:
		return scram.Sha512(scramAuth)
	}
}
