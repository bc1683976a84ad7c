package telemetry

import (
	"fmt"
	"io"
	"log/slog"
	"os"

	"golang.org/x/term"
)

// Names of log fields that services share, so that one query finds them all.
const (
	KeyService   = "service"
	KeyVersion   = "version"
	KeyRevision  = "revision"
	KeyComponent = "component"
	KeyEndpoint  = "endpoint"
	KeyMethod    = "method"
	KeyCode      = "code"
	KeyTarget    = "target"
	// KeyTargetRevision is not KeyRevision, which every record has: the own one.
	KeyTargetRevision = "target_revision"
	KeyDependency     = "dependency"
	KeyInstance       = "instance"
	KeyAddress        = "address"
	KeyCheck          = "check"
	KeyDuration       = "duration"
	KeyError          = "error"
	KeyPanic          = "panic"
	KeyStack          = "stack"
	KeyTraceID        = "trace_id" // of the request that the record belongs to
	KeySpanID         = "span_id"
)

// LogOptions say how a service logs.
type LogOptions struct {
	Level  string // debug, info, warn or error
	Format string // auto, json or text; auto is text on a terminal, else JSON
	// Live holds the level, so that it can be changed while the service runs. It may be nil.
	Live *slog.LevelVar
}

// NewLogger writes to w. Records of a request name its trace. A level or format it does not know is an error.
func NewLogger(w io.Writer, o LogOptions) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(o.Level)); err != nil {
		return nil, fmt.Errorf("log level %q: %w", o.Level, err)
	}
	options := &slog.HandlerOptions{Level: level}
	if o.Live != nil {
		o.Live.Set(level)
		options.Level = o.Live
	}
	switch {
	case o.Format == "text", o.Format == "auto" && onTerminal(w):
		return slog.New(traced{slog.NewTextHandler(w, options)}), nil
	case o.Format == "json", o.Format == "auto":
		return slog.New(traced{slog.NewJSONHandler(w, options)}), nil
	}
	return nil, fmt.Errorf("log format %q is not one of auto, json, text", o.Format)
}

func onTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
