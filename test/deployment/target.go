package deployment

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
)

// Target is where a fleet answers, over gRPC and REST, by service.
type Target map[string]Addresses

// Addresses are host:port.
type Addresses struct{ GRPC, REST string }

const authName = "auth"

// The services that take part, with the ports that they have by default.
func usual() map[string][2]int {
	return map[string][2]int{"metadata": {8081, 8181}, "rating": {8082, 8182}, "movie": {8083, 8183}, authName: {8084, 8184}}
}

// ParseTarget reads a host, where the services have their usual ports, or a list such as
// metadata=a:8081/a:8181,rating=b:8082/b:8182,movie=c:8083/c:8183: the address of gRPC, then that of REST. In a list auth may
// be missing: it is called for tokens alone.
func ParseTarget(text string) (Target, error) {
	target := Target{}
	if !strings.Contains(text, "=") {
		if text == "" || strings.ContainsAny(text, "/,: ") {
			return nil, fmt.Errorf("TARGET is %q: give a host, or metadata=HOST:PORT/HOST:PORT,rating=…,movie=… with the addresses of gRPC and REST", text)
		}
		for name, ports := range usual() {
			target[name] = Addresses{GRPC: net.JoinHostPort(text, strconv.Itoa(ports[0])), REST: net.JoinHostPort(text, strconv.Itoa(ports[1]))}
		}
		return target, nil
	}
	for part := range strings.SplitSeq(text, ",") {
		name, addresses, _ := strings.Cut(part, "=")
		api, rest, ok := strings.Cut(addresses, "/")
		if _, known := usual()[name]; !known || !ok || !isAddress(api) || !isAddress(rest) {
			return nil, fmt.Errorf("TARGET has %q: write SERVICE=HOST:PORT/HOST:PORT, with the addresses of gRPC and REST", part)
		}
		target[name] = Addresses{GRPC: api, REST: rest}
	}
	for name := range usual() {
		if _, ok := target[name]; !ok && name != authName {
			return nil, fmt.Errorf("TARGET does not say where %s is", name)
		}
	}
	return target, nil
}

func isAddress(text string) bool {
	host, port, err := net.SplitHostPort(text)
	return err == nil && !slices.Contains([]string{host, port}, "")
}
