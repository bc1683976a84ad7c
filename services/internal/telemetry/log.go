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
	KeyService    = "service"
	KeyVersion    = "version"
	KeyRevision   = "revision"
	KeyComponent  = "component"
	KeyEndpoint   = "endpoint"
	KeyMethod     = "method"
	KeyCode       = "code"
	KeyTarget     = "target"
	KeyDependency = "dependency"
	KeyInstance   = "instance"
	KeyAddress    = "address"
	KeyCheck      = "check"
	KeyDuration   = "duration"
	KeyError      = "error"
	KeyPanic      = "panic"
	KeyStack      = "stack"
)

// LogOptions say how a service logs.
type LogOptions struct {
	Level  string // debug, info, warn or error
	Format string // auto, json or text; auto is text on a terminal, else JSON
}

// NewLogger writes to w. A level or format it does not know is an error.
func NewLogger(w io.Writer, o LogOptions) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(o.Level)); err != nil {
		return nil, fmt.Errorf("log level %q: %w", o.Level, err)
	}
	options := &slog.HandlerOptions{Level: level}
	switch {
	case o.Format == "text", o.Format == "auto" && onTerminal(w):
		return slog.New(slog.NewTextHandler(w, options)), nil
	case o.Format == "json", o.Format == "auto":
		return slog.New(slog.NewJSONHandler(w, options)), nil
	}
	return nil, fmt.Errorf("log format %q is not one of auto, json, text", o.Format)
}

func onTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
