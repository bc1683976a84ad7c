// Package ports gives tests loopback ports for programs that have to be told one. Whoever can listen itself asks the
// kernel for port 0 instead.
package ports

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"testing"
)

// The ports given lie below those that the kernel gives to connections (32768 and up on Linux) and to NodePorts (30000 and
// up): what nobody listens on stays free.
const (
	first = 20000
	count = 10000
	tries = 100
)

// Free is a port of 127.0.0.1 that nobody listens on, and that no other test gets until tb ends, whichever process it is of.
func Free(tb testing.TB) int {
	tb.Helper()
	held := &Held{}
	port, err := held.Take()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(held.Close)
	return port
}

// Address is 127.0.0.1 with a port as from Free.
func Address(tb testing.TB) string {
	tb.Helper()
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(Free(tb)))
}

// Held are ports that no test gets. The zero value holds none; not for concurrent use.
type Held struct{ sockets []io.Closer }

// Take is a port as from Free, held until Close.
func (h *Held) Take() (int, error) {
	var last error
	for range tries {
		port := first + rand.IntN(count)
		socket, err := hold(port)
		if err == nil {
			h.sockets = append(h.sockets, socket)
			return port, nil
		}
		last = err
	}
	return 0, fmt.Errorf("no free port among %d tried from %d to %d: %w", tries, first, first+count-1, last)
}

// Close lets other tests have the ports.
func (h *Held) Close() {
	for _, socket := range h.sockets {
		_ = socket.Close()
	}
	h.sockets = nil
}

// hold keeps a port by the same one of UDP on an address that no program is given: the kernel knows of every process, and
// forgets the ports of those that are gone.
func hold(port int) (io.Closer, error) {
	held, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 127, 127, 127), Port: port})
	if err != nil {
		return nil, err
	}
	listener, err := net.ListenTCP("tcp", &net.TCPAddr{Port: port})
	if err != nil {
		_ = held.Close()
		return nil, err
	}
	return held, listener.Close()
}
