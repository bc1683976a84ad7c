package main

import (
	"errors"
	"fmt"
	"log"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// insideKey tells the second half of the program, after nsenter, that it is inside.
const insideKey = "FLEET_FRONT_INSIDE"

func main() {
	log.SetFlags(log.LstdFlags | log.Lmicroseconds)
	run := enter
	if os.Getenv(insideKey) != "" {
		run = serve
	}
	if err := run(os.Args[1:]); err != nil {
		log.Fatalf("front: %v", err)
	}
}

// enter opens the listeners and replaces this process by one inside the namespaces of the first argument.
func enter(args []string) error {
	if len(args) < 2 {
		return errors.New("usage: front PID 127.0.0.1:PORT=HOST:PORT [127.0.0.1:PORT=HOST:PORT]")
	}
	if _, err := strconv.Atoi(args[0]); err != nil {
		return fmt.Errorf("%q is not a process id", args[0])
	}
	command := []string{"nsenter", "-t", args[0], "-n", "-p", "--", os.Args[0]}
	for _, pair := range args[1:] {
		listen, target, err := parsePair(pair)
		if err != nil {
			return err
		}
		fd, err := listenFD(listen)
		if err != nil {
			return err
		}
		command = append(command, strconv.Itoa(fd)+"="+target)
	}
	nsenter, err := exec.LookPath("nsenter")
	if err != nil {
		return fmt.Errorf("%w (Debian package util-linux)", err)
	}
	return syscall.Exec(nsenter, command, append(os.Environ(), insideKey+"=1"))
}

// parsePair reads LISTEN=TARGET. Only the loopback is listened on: a development cluster, whose
// credentials lie in a file, is nobody else's business on the network.
func parsePair(pair string) (listen, target string, err error) {
	listen, target, ok := strings.Cut(pair, "=")
	if !ok {
		return "", "", fmt.Errorf("%q is not LISTEN=TARGET, for example 127.0.0.1:8080=10.96.0.20:80", pair)
	}
	addr, err := netip.ParseAddrPort(listen)
	if err != nil || !addr.Addr().IsLoopback() {
		return "", "", fmt.Errorf("cannot listen on %q: want a loopback address and a port, for example 127.0.0.1:8080", listen)
	}
	if _, err := netip.ParseAddrPort(target); err != nil {
		return "", "", fmt.Errorf("cannot forward to %q: want an IP address and a port inside the cluster, for example 10.96.0.20:80", target)
	}
	return listen, target, nil
}

// listenFD returns a file descriptor of a listening socket that survives exec.
func listenFD(address string) (int, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return 0, err
	}
	file, err := l.(*net.TCPListener).File()
	if err != nil {
		return 0, err
	}
	return syscall.Dup(int(file.Fd())) // the duplicate is not closed on exec
}
