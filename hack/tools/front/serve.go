package main

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// dialTimeout is long enough for a node that is busy starting and short enough for a person at a browser.
const dialTimeout = 5 * time.Second

// serve accepts on the inherited listeners, given as FD=TARGET, until the process is killed.
func serve(pairs []string) error {
	errs := make(chan error)
	for _, pair := range pairs {
		fd, target, _ := strings.Cut(pair, "=")
		n, err := strconv.Atoi(fd)
		if err != nil {
			return fmt.Errorf("inherited listener %q: %w", pair, err)
		}
		listener, err := net.FileListener(os.NewFile(uintptr(n), target))
		if err != nil {
			return fmt.Errorf("inherited listener %q: %w", pair, err)
		}
		go func() { errs <- accept(listener, target) }()
	}
	return <-errs
}

// accept returns when the listener is closed, after its last connection has ended.
func accept(listener net.Listener, target string) error {
	var connections sync.WaitGroup
	defer connections.Wait()
	for {
		conn, err := listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return fmt.Errorf("listener for %s: %w", target, err)
		}
		if err != nil { // out of file descriptors, most likely: others will end
			log.Printf("Accept for %s failed: %v", target, err)
			time.Sleep(50 * time.Millisecond)
			continue
		}
		connections.Go(func() { forward(conn.(*net.TCPConn), target) })
	}
}

// forward copies both ways until both sides have ended; the end of one direction is passed on.
func forward(client *net.TCPConn, target string) {
	defer client.Close()
	conn, err := net.DialTimeout("tcp", target, dialTimeout)
	if err != nil {
		log.Printf("Dial of %s failed: %v", target, err)
		return
	}
	server := conn.(*net.TCPConn)
	defer server.Close()
	var back sync.WaitGroup
	back.Go(func() { copyHalf(client, server) })
	copyHalf(server, client)
	back.Wait()
}

func copyHalf(to, from *net.TCPConn) {
	if _, err := io.Copy(to, from); err != nil {
		// A reset on one side ends the other at once: nobody would read what is still to come.
		to.Close()
		from.Close()
		return
	}
	_ = to.CloseWrite() // fails only where the other side is gone already
}
