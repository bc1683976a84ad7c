package app

import (
	"context"
	"log/slog"
	"strings"

	"movieexample.com/fleet/services/internal/config"
	"movieexample.com/fleet/services/internal/telemetry"
)

// follow takes up changes of the configuration file, as far as they act without a restart, and tells of the others.
func (s *server[C]) follow(ctx context.Context) error {
	current := s.config
	s.loader.Watch(ctx, s.proc.lookupEnv, func(changed C, err error) {
		if err != nil {
			s.log.ErrorContext(ctx, "The configuration file has mistakes now; going on with what was read before", telemetry.KeyError, err)
			return
		}
		live, waiting := config.Changes(current, changed)
		current = changed
		if len(live) > 0 {
			s.adopt(ctx, changed.Base().Log.Level)
		}
		if len(waiting) > 0 {
			s.log.WarnContext(ctx, "Settings have changed that act after a restart only", "settings", strings.Join(waiting, ", "))
		}
	})
	return nil
}

// adopt sets the lowest level that is logged, and says so at a level that both of them log.
func (s *server[C]) adopt(ctx context.Context, name string) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(name)); err != nil {
		return // the settings were checked: it is one of four
	}
	before := s.level.Level()
	s.level.Set(level)
	s.log.Log(ctx, max(before, level, slog.LevelInfo), "Log level changed", "from", before.String(), "to", level.String())
}
