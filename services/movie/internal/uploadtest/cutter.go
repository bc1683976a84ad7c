package uploadtest

import (
	"errors"
	"io"
	"net"
	"sync"
	"testing"
)

// Cutter stands between a client and a server, and cuts each connection after so many bytes to the server.
type Cutter struct {
	Address string

	mu    sync.Mutex
	cuts  []int64 // what the next connections may carry; then without end
	Count int     // connections that were made; read it when they have ended
}

// NewCutter cuts the first connections to the target after so many bytes each, and lets those after them live.
func NewCutter(t *testing.T, target string, cuts ...int64) *Cutter {
	t.Helper()
	l := listen(t)
	c := &Cutter{Address: l.Addr().String(), cuts: cuts}
	var wait sync.WaitGroup
	wait.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wait.Go(func() { c.carry(conn, target) })
		}
	})
	t.Cleanup(func() { _ = l.Close(); wait.Wait() })
	return c
}

func (c *Cutter) limit() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.Count++
	if len(c.cuts) == 0 {
		return 1 << 62
	}
	limit := c.cuts[0]
	c.cuts = c.cuts[1:]
	return limit
}

func (c *Cutter) carry(client net.Conn, target string) {
	server, err := net.Dial("tcp", target)
	if err != nil {
		_ = client.Close()
		return
	}
	closeBoth := sync.OnceFunc(func() { _ = errors.Join(client.Close(), server.Close()) })
	var wait sync.WaitGroup
	wait.Go(func() { defer closeBoth(); _, _ = io.CopyN(server, client, c.limit()) })
	wait.Go(func() { defer closeBoth(); _, _ = io.Copy(client, server) })
	wait.Wait()
}
