package app

import (
	"context"

	"movieexample.com/fleet/services/internal/telemetry"
)

// trace begins to record spans, if the settings say so.
func (s *server[C]) trace(ctx context.Context) error {
	settings, self := s.config.Base().Telemetry.Traces, s.instance()
	var err error
	s.traces, err = telemetry.NewTraces(ctx, telemetry.TraceOptions{
		Endpoint: settings.Endpoint, Ratio: settings.Ratio,
		Service: s.program.Name, Version: Version, Revision: self.Revision,
		App: self.App, Namespace: self.Namespace, Instance: self.ID,
	}, s.metrics, s.log)
	return err
}
