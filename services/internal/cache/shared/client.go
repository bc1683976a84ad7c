package shared

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"movieexample.com/fleet/services/internal/binding"
)

const (
	// dialTimeout and callTimeout bound what a sick Redis costs a call, until the breaker opens.
	dialTimeout = 100 * time.Millisecond
	callTimeout = 50 * time.Millisecond
	// maxLifetime bounds how long credentials that were changed stay in use.
	maxLifetime = 5 * time.Minute
	poolSize    = 10
)

// Open makes a client of the Redis that the binding in dir names. It connects when it is first used, and reads the binding
// again for each new connection: changed credentials need no restart.
func Open(dir string, log *slog.Logger) *redis.Client {
	return open(dir, log, dialTimeout, callTimeout)
}

func open(dir string, log *slog.Logger, dialing, calling time.Duration) *redis.Client {
	redis.SetLogger(clientLog{log}) // the library has one for all clients
	return redis.NewClient(&redis.Options{
		Addr:   "binding", // replaced for each connection
		Dialer: func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx, dir, dialing) },
		CredentialsProviderContext: func(context.Context) (username, password string, err error) {
			b, err := binding.ReadRedis(dir)
			return b.Username, b.Password, err
		},
		DialTimeout: dialing, ReadTimeout: calling, WriteTimeout: calling, PoolTimeout: calling,
		ContextTimeoutEnabled: true,
		MaxRetries:            -1, // whoever is behind the cache is asked instead
		DialerRetries:         1,
		PoolSize:              poolSize,
		ConnMaxLifetime:       maxLifetime,
		DisableIdentity:       true,
		// A feature of one vendor's servers; others answer with an error.
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
}

func dial(ctx context.Context, dir string, timeout time.Duration) (net.Conn, error) {
	b, err := binding.ReadRedis(dir)
	if err != nil {
		return nil, err
	}
	dialer := &net.Dialer{Timeout: timeout}
	if config := b.TLS(); config != nil {
		return (&tls.Dialer{NetDialer: dialer, Config: config}).DialContext(ctx, "tcp", b.Address())
	}
	return dialer.DialContext(ctx, "tcp", b.Address())
}

// clientLog takes the library's own lines. They are details: each failure shows in the breaker's log line and counter.
type clientLog struct{ log *slog.Logger }

// Printf implements the library's logger.
func (l clientLog) Printf(ctx context.Context, format string, v ...any) {
	l.log.DebugContext(ctx, "Redis client", "detail", fmt.Sprintf(format, v...))
}
