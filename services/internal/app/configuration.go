package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"movieexample.com/fleet/services/internal/binding"
	"movieexample.com/fleet/services/internal/config"
	"movieexample.com/fleet/services/internal/fault"
)

// configuration is the command config: what a start would find, without starting.
func configuration[C config.Settings](loader *config.Loader[C], proc process) *cobra.Command {
	root := &cobra.Command{Use: "config", Short: "Check or show the settings", Args: words(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	root.AddCommand(
		&cobra.Command{
			Use: "check", Short: "Say everything that is wrong with settings and bindings, and end with code 2 if anything is",
			Args: words(cobra.NoArgs),
			RunE: func(*cobra.Command, []string) error { return checkConfiguration(loader, proc) },
		},
		&cobra.Command{
			Use: "show", Short: "Show each setting with its value and origin, and the keys of bindings; secrets are masked",
			Args: words(cobra.NoArgs),
			RunE: func(*cobra.Command, []string) error { return showConfiguration(loader, proc) },
		})
	return root
}

// words makes wrong arguments a mistake of the user's.
func words(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return mistake(err)
		}
		return nil
	}
}

func checkConfiguration[C config.Settings](loader *config.Loader[C], proc process) error {
	c, err := loader.Load(proc.lookupEnv)
	_, faultErr := fault.FromEnv(proc.lookupEnv)
	if err := errors.Join(err, faultErr, checkBindings(config.Bindings(c), proc), checkIdentity(c.Base().TLS, proc)); err != nil {
		return mistake(err)
	}
	_, err = fmt.Fprintln(proc.stdout, "Settings and bindings are good.")
	return err
}

func checkBindings(needed []string, proc process) error {
	root := proc.env(binding.RootEnv)
	switch {
	case root != "":
		return binding.CheckAll(root, needed)
	case len(needed) > 0:
		return fmt.Errorf("binding %q: %w", needed[0], binding.ErrNoRoot)
	}
	return nil
}

func showConfiguration[C config.Settings](loader *config.Loader[C], proc process) error {
	settings, err := loader.Show(proc.lookupEnv)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(proc.stdout, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "SETTING\tVALUE\tORIGIN") // Flush has its error
	for _, s := range settings {
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\n", s.Path, s.Value, s.Origin)
	}
	if root := proc.env(binding.RootEnv); root != "" {
		keys, err := binding.Inspect(root)
		if err != nil {
			return mistake(err)
		}
		for _, k := range keys {
			_, _ = fmt.Fprintf(table, "binding %s/%s\t%s\t%s\n", k.Binding, k.Name, k.Shown, k.Path)
		}
	}
	return table.Flush()
}

// schema is the command that tells it.
func schema[C config.Settings](p Program[C], loader *config.Loader[C], proc process) *cobra.Command {
	return &cobra.Command{
		Use: "schema", Short: "Show the version of the database's schema, and which this program wants", Args: words(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			quiet := proc
			quiet.stdout = proc.stderr // standard output is the answer's
			c, log, err := prepare(p, loader, quiet, &slog.LevelVar{})
			if err != nil {
				return err
			}
			return showSchema(cmd.Context(), p, Env[C]{Config: c, Log: log}, proc)
		},
	}
}

func showSchema[C config.Settings](ctx context.Context, p Program[C], env Env[C], proc process) error {
	s, err := p.Schema(ctx, env)
	if err != nil {
		return fmt.Errorf("schema: %w", err)
	}
	_, err = fmt.Fprintln(proc.stdout, s)
	return err
}
