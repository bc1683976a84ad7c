package kafka

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"movieexample.com/fleet/controllers/internal/bindings"
)

// Time limits: a broker in reach answers in milliseconds.
const (
	dialTimeout = 2 * time.Second
	lookTimeout = 6 * time.Second
	clientID    = "movie-fleet-operator"
)

// connect makes a client that logs in as the binding says. It connects when it is first used.
func connect(b bindings.Kafka, more ...kgo.Opt) (*kgo.Client, error) {
	options := append([]kgo.Opt{
		kgo.ClientID(clientID), kgo.SeedBrokers(b.Servers...), kgo.RequestRetries(3), kgo.DialTimeout(dialTimeout),
		kgo.RetryTimeout(lookTimeout), kgo.RequestTimeoutOverhead(lookTimeout),
		kgo.DisableClientMetrics(),
	}, more...)
	if b.Encrypted {
		options = append(options, kgo.DialTLSConfig(trust(b)))
	}
	if b.Mechanism != "" {
		options = append(options, kgo.SASL(login(b)))
	}
	client, err := kgo.NewClient(options...)
	if err != nil {
		return nil, fmt.Errorf("set up the Kafka client: %w", err)
	}
	return client, nil
}

func trust(b bindings.Kafka) *tls.Config {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if b.CA != "" {
		config.RootCAs = x509.NewCertPool()
		config.RootCAs.AppendCertsFromPEM([]byte(b.CA))
	}
	return config
}

func login(b bindings.Kafka) sasl.Mechanism {
	switch b.Mechanism {
	case "PLAIN":
		return plain.Auth{User: b.Username, Pass: b.Password}.AsMechanism()
	case "SCRAM-SHA-256":
		return scram.Auth{User: b.Username, Pass: b.Password}.AsSha256Mechanism()
	}
	return scram.Auth{User: b.Username, Pass: b.Password}.AsSha512Mechanism()
}
