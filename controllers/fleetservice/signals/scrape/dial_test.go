package scrape_test

import (
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"k8s.io/utils/clock"

	"movieexample.com/fleet/controllers/fleetservice/signals/scrape"
)

// blackHole is an address whose kernel answers nothing, as that of a pod does whose node is gone: a listener that accepts
// nobody, and whose queue is full.
func blackHole(t *testing.T) string {
	t.Helper()
	socket, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(socket) })
	if err := syscall.Bind(socket, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(socket, 0); err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(socket)
	if err != nil {
		t.Fatal(err)
	}
	address := fmt.Sprintf("127.0.0.1:%d", name.(*syscall.SockaddrInet4).Port)
	for range 64 {
		c, err := net.DialTimeout("tcp", address, 200*time.Millisecond)
		if err != nil {
			return address
		}
		t.Cleanup(func() { _ = c.Close() })
	}
	t.Fatal("the kernel answers for a listener whose queue is full")
	return ""
}

// TestDialsEnd: no dial outlives its reading for as long as the kernel would try.
func TestDialsEnd(t *testing.T) {
	target := scrape.Target{UID: "uid", Address: blackHole(t), Path: "/metrics"}
	before := goleak.IgnoreCurrent()
	s := scrape.New(quick, clock.RealClock{})
	for range 3 {
		page := s.Read(t.Context(), []scrape.Target{target}, wanted)["uid"]
		if page.Err == nil || !strings.Contains(page.Err.Error(), "no whole page within 200ms") {
			t.Errorf("Read = %v, want that nothing answered in time", page.Err)
		}
	}
	if err := goleak.Find(before); err != nil { // without Close, which would end them
		t.Errorf("dials go on after their readings: %v", err)
	}
	s.Close()
}
