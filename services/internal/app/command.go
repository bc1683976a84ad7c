package app

import (
	"context"
	"io"
	"log/slog"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.opentelemetry.io/otel/trace/noop"

	"movieexample.com/fleet/services/internal/config"
)

// Command is a further command of a program, for the people who run it.
type Command[C config.Settings] struct {
	// Use is the command's words, in lower case, then its arguments: "user add NAME [ROLE…]".
	Use   string
	Short string
	Args  cobra.PositionalArgs
	// Flags adds the command's own; nil if it has none.
	Flags func(*pflag.FlagSet)
	// Run gets an Env without a way to other services; its log goes to standard error.
	Run func(ctx context.Context, env Env[C], args []string, streams Streams) error
	// Serve, in place of Run, makes the command one that works until a signal: with probes, metrics, traces and an end in
	// order as the program without a command has them, and no server for calls.
	Serve func(ctx context.Context, env Env[C]) (Service, error)
	// Defaults are those of a command that serves, which may run beside the program on one machine.
	Defaults C
}

// Streams are where a command reads from and writes to.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// addCommand puts the command at its place, and makes the commands above it.
func addCommand[C config.Settings](root *cobra.Command, c Command[C], p Program[C], loader *config.Loader[C], proc process) {
	path, rest := split(c.Use)
	parent := root
	for _, word := range path[:len(path)-1] {
		parent = child(parent, word)
	}
	last := path[len(path)-1]
	command := &cobra.Command{Use: strings.TrimSpace(last + " " + rest), Short: c.Short, Args: words(c.Args)}
	if c.Serve != nil {
		command.RunE = serveCommand(command, c, p, proc)
	} else {
		command.RunE = runCommand(c, p, loader, proc)
	}
	if c.Flags != nil {
		c.Flags(command.Flags())
	}
	parent.AddCommand(command)
}

func runCommand[C config.Settings](
	c Command[C], p Program[C], loader *config.Loader[C], proc process,
) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		quiet := proc
		quiet.stdout = proc.stderr // standard output is the command's own
		settings, log, err := prepare(p, loader, quiet, &slog.LevelVar{})
		if err != nil {
			return err
		}
		env := Env[C]{Config: settings, Log: log, Metrics: prometheus.NewRegistry(), Traces: noop.NewTracerProvider()}
		return untilSignal(cmd.Context(), proc, func(ctx context.Context) error {
			return c.Run(ctx, env, args, Streams{In: proc.stdin, Out: proc.stdout, Err: proc.stderr})
		})
	}
}

// serveCommand has flags of its own for the settings, since their defaults differ; they hide those of the program.
func serveCommand[C config.Settings](
	command *cobra.Command, c Command[C], p Program[C], proc process,
) func(*cobra.Command, []string) error {
	p.Build, p.Defaults, p.background = c.Serve, c.Defaults, true
	loader := config.NewLoader(p.Name, c.Defaults)
	loader.BindFlags(command.Flags())
	return func(cmd *cobra.Command, _ []string) error { return serve(cmd.Context(), p, loader, proc) }
}

// split is the lower-case words in front, and the rest.
func split(use string) (path []string, rest string) {
	all := strings.Fields(use)
	for i, word := range all {
		if word != strings.ToLower(word) || strings.HasPrefix(word, "[") {
			return all[:i], strings.Join(all[i:], " ")
		}
	}
	return all, ""
}

func child(parent *cobra.Command, word string) *cobra.Command {
	for _, c := range parent.Commands() {
		if c.Name() == word {
			return c
		}
	}
	c := &cobra.Command{
		Use:   word,
		Short: "Commands about a " + word,
		Args:  words(cobra.NoArgs),
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	parent.AddCommand(c)
	return c
}
