package app

import (
	"fmt"

	"movieexample.com/fleet/services/internal/config"
	"movieexample.com/fleet/services/internal/flags"
)

// features is [Env.Flags].
func (s *server[C]) features(c config.Flags, defaults flags.Defaults) (*flags.Set, error) {
	var sources []flags.Source
	if len(c.Set) > 0 {
		sources = append(sources, flags.Fixed(c.Set))
	}
	if c.Path != "" {
		sources = append(sources, flags.File(c.Path))
	}
	if c.Key != "" {
		if s.registry == nil {
			return nil, mistake(fmt.Errorf("flags.key: %q needs discovery.kind consul", c.Key))
		}
		sources = append(sources, flags.Key(c.Key, s.registry.WatchKey))
	}
	s.flags = flags.New(defaults, s.log, s.metrics, sources...)
	return s.flags, nil
}
