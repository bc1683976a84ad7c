package identity

import (
	"io"
	"net"
	"time"
)

// lingerTime is the longest wait for a caller to read why it was refused.
const lingerTime = time.Second

// shakingConn is a connection whose handshake goes on. A TLS 1.3 client has begun to send when the server refuses its
// certificate; closing with that unread makes the kernel reset the connection, and the client would see "broken pipe" in
// place of "bad certificate".
type shakingConn struct {
	net.Conn

	done bool // by the goroutine that shakes hands, before anybody else has the connection
}

// Close lets the other end read what was sent last, as long as the handshake goes on.
func (c *shakingConn) Close() error {
	half, ok := c.Conn.(interface{ CloseWrite() error })
	if c.done || !ok {
		return c.Conn.Close()
	}
	if half.CloseWrite() == nil && c.SetReadDeadline(time.Now().Add(lingerTime)) == nil {
		_, _ = io.Copy(io.Discard, c.Conn) // until the other end closes, or the time is over
	}
	return c.Conn.Close()
}
