// Command uploadclient uploads a file to movie: it shows how far it is, and goes on after a break.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"

	"movieexample.com/fleet/services/movie/internal/send"
	moviev1 "movieexample.com/fleet/services/proto/movie/v1"
)

// Exit codes.
const (
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// options are the flags.
type options struct {
	target    string
	name      string
	caFile    string
	tokenFile string
	tls       bool
	patience  time.Duration
}

// errUsage marks mistakes on the command line.
var errUsage = errors.New("")

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := command(stdout, stderr) //nolint:contextcheck // cobra hands the context on
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	_, _ = fmt.Fprintf(stderr, "uploadclient: %s\n", send.Reason(err))
	if errors.Is(err, errUsage) {
		return exitUsage
	}
	return exitFailed
}

func command(stdout, stderr io.Writer) *cobra.Command {
	var o options
	c := &cobra.Command{
		Use:   "uploadclient FILE",
		Short: "Upload a file to movie and print its id; go on after a break, also one of an earlier run",
		Args: func(c *cobra.Command, args []string) error {
			if err := cobra.ExactArgs(1)(c, args); err != nil {
				return fmt.Errorf("%w%w: name one file", errUsage, err)
			}
			return nil
		},
		SilenceErrors: true, // run prints them
		SilenceUsage:  true,
		RunE:          func(c *cobra.Command, args []string) error { return upload(c.Context(), args[0], o, stdout, stderr) },
	}
	c.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return fmt.Errorf("%w%w", errUsage, err) })
	c.SetOut(stdout)
	c.SetErr(stderr)
	c.CompletionOptions.DisableDefaultCmd = true
	flags := c.Flags()
	flags.StringVar(&o.target, "target", "127.0.0.1:8083", "gRPC address of movie")
	flags.StringVar(&o.name, "name", "", "name to give the file (default: its own)")
	flags.BoolVar(&o.tls, "tls", false, "connect by TLS, and trust the system's authorities")
	flags.StringVar(&o.caFile, "ca-file", "", "connect by TLS, and trust the authorities in this PEM file")
	flags.StringVar(&o.tokenFile, "token-file", "", "file with an editor's token, read anew for each stream")
	flags.DurationVar(&o.patience, "patience", 2*time.Minute, "how long to go on trying while nothing gets through")
	return c
}

func upload(ctx context.Context, path string, o options, stdout, stderr io.Writer) (err error) {
	conn, err := dial(o)
	if err != nil {
		return fmt.Errorf("%w%w", errUsage, err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	file, err := send.Open(path, o.name)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // it was only read
	p := newProgress(stderr, file.Size)
	s := send.Sender{Movies: moviev1.NewMovieServiceClient(conn), Patience: o.patience, Progress: p.show, Broken: p.broken}
	answer, err := s.Send(ctx, file)
	p.end()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(stdout, answer.GetFileId())
	return err
}

func dial(o options) (*grpc.ClientConn, error) {
	c := insecure.NewCredentials()
	switch {
	case o.caFile != "":
		var err error
		if c, err = credentials.NewClientTLSFromFile(o.caFile, ""); err != nil {
			return nil, fmt.Errorf("--ca-file: %w", err)
		}
	case o.tls:
		c = credentials.NewClientTLSFromCert(nil, "")
	case o.tokenFile != "" && !onThisMachine(o.target):
		return nil, fmt.Errorf("--token-file: a token goes to %s by TLS only; add --tls or --ca-file", o.target)
	}
	opts := []grpc.DialOption{
		grpc.WithTransportCredentials(c),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 15 * time.Second, Timeout: 5 * time.Second}),
		grpc.WithConnectParams(grpc.ConnectParams{ // gRPC's own would rest for up to two minutes
			Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 5 * time.Second},
			MinConnectTimeout: 5 * time.Second,
		}),
	}
	if o.tokenFile != "" {
		if _, err := os.Stat(o.tokenFile); err != nil {
			return nil, fmt.Errorf("--token-file: %w", err)
		}
		opts = append(opts, grpc.WithPerRPCCredentials(tokenFile{path: o.tokenFile, secure: !onThisMachine(o.target)}))
	}
	return grpc.NewClient(o.target, opts...)
}
