package app

import (
	"context"
	"fmt"
	"net"
	"strconv"

	"movieexample.com/fleet/services/internal/lifecycle"
	"movieexample.com/fleet/services/internal/rpc"
)

const profilesPort = "admin.pprofPort"

// listenForProfiles takes the port on loopback alone: profiles tell what is in memory, and the pod's address is anybody's.
func (s *server[C]) listenForProfiles(ctx context.Context) error {
	port := s.config.Base().Admin.PprofPort
	if port == 0 {
		return nil
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(int(port))))
	if err != nil {
		return fmt.Errorf("%s %d: %w; end the other program, or choose another with --%s", profilesPort, port, err, profilesPort)
	}
	s.listeners[profilesPort] = l
	return nil
}

func (s *server[C]) serveProfiles(r *lifecycle.Runner) {
	if l, ok := s.listeners[profilesPort]; ok {
		r.Go("profiles", rpc.ServeProfiles(l))
	}
}
