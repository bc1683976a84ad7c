package discovery

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
)

// Static watches nothing: the name of the service is the list of its addresses, host:port,host:port.
type Static struct{}

// Watch gives the addresses once, or the mistake in them.
func (Static) Watch(ctx context.Context, service string, update func(Snapshot, error)) {
	update(parse(service))
	<-ctx.Done()
}

func parse(list string) (Snapshot, error) {
	var s Snapshot
	for address := range strings.SplitSeq(list, ",") {
		host, port, err := net.SplitHostPort(address)
		if err != nil {
			return Snapshot{}, fmt.Errorf("static address %q is not host:port: %w", address, err)
		}
		n, err := strconv.Atoi(port)
		if err != nil {
			return Snapshot{}, fmt.Errorf("static address %q: the port is not a number: %w", address, err)
		}
		s.Instances = append(s.Instances, Instance{ID: address, Host: host, Port: n})
	}
	return s, nil
}
