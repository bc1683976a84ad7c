package identity

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"golang.org/x/time/rate"
	"google.golang.org/grpc/credentials"

	"movieexample.com/fleet/services/internal/telemetry"
)

// ClientCredentials are for gRPC connections to the server want.
func (f *Files) ClientCredentials(want spiffeid.ID) credentials.TransportCredentials {
	return credentials.NewTLS(f.Client(want))
}

// ServerCredentials are for a gRPC server. Who is refused is counted, and told in the log once a second at most: a caller
// that tries again and again, or a scan of ports, must not fill it.
func (f *Files) ServerCredentials(demand Demand, metrics prometheus.Registerer) credentials.TransportCredentials {
	refusals := prometheus.NewCounter(prometheus.CounterOpts{
		Name: "grpc_server_handshakes_refused_total", Help: "Connections to the gRPC port that ended before the first call, for lack of TLS or of a certificate that is accepted.",
	})
	metrics.MustRegister(refusals)
	config := f.Server(demand)
	config.NextProtos = []string{"h2"} // gRPC knows no other
	return &serverCredentials{
		TransportCredentials: credentials.NewTLS(config),
		refusals:             refusals, log: f.log, seldom: &rate.Sometimes{First: 3, Interval: time.Second},
	}
}

type serverCredentials struct {
	credentials.TransportCredentials

	refusals prometheus.Counter
	log      *slog.Logger
	seldom   *rate.Sometimes
}

// ServerHandshake is for [credentials.TransportCredentials].
func (c *serverCredentials) ServerHandshake(conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	shaking := &shakingConn{Conn: conn}
	secured, info, err := c.TransportCredentials.ServerHandshake(shaking)
	shaking.done = true
	if err != nil && !errors.Is(err, io.EOF) { // a caller that hung up was not refused
		c.refusals.Inc()
		c.seldom.Do(func() {
			c.log.WarnContext(context.Background(), "A connection was refused", telemetry.KeyAddress, conn.RemoteAddr().String(), telemetry.KeyError, err)
		})
	}
	return secured, info, err
}

// Clone is for [credentials.TransportCredentials].
func (c *serverCredentials) Clone() credentials.TransportCredentials {
	clone := *c
	clone.TransportCredentials = c.TransportCredentials.Clone()
	return &clone
}
