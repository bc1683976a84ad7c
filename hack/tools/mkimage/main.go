package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path"
	"runtime"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
)

// options is what the command line asks for.
type options struct {
	tag        name.Tag
	out        string
	entrypoint string
	user       string
	arch       string
	env        []string
	maxMB      float64
	files      []file
}

// file is one file of the image.
type file struct {
	source string // on this machine
	target string // absolute, in the image
}

func main() {
	opts, err := parse(os.Args[1:], os.Stderr)
	if err == nil {
		err = run(opts, os.Stdout)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "mkimage: %v\n", err)
		os.Exit(1)
	}
}

func parse(args []string, stderr io.Writer) (options, error) {
	var opts options
	var tag string
	flags := flag.NewFlagSet("mkimage", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&tag, "tag", "", "image name, for example localhost/fleet/movie:v1")
	flags.StringVar(&opts.out, "o", "", "archive to write")
	flags.StringVar(&opts.entrypoint, "entrypoint", "", "program to run (default: the first file)")
	flags.StringVar(&opts.user, "user", "65532", "user the program runs as")
	flags.StringVar(&opts.arch, "arch", runtime.GOARCH, "architecture of the binaries")
	flags.Float64Var(&opts.maxMB, "max", 0, "refuse an archive larger than so many megabytes (0: any size)")
	flags.Func("env", "`KEY=VALUE` in the program's environment, repeatable", func(s string) error {
		if key, _, ok := strings.Cut(s, "="); !ok || key == "" {
			return fmt.Errorf("want KEY=VALUE")
		}
		opts.env = append(opts.env, s)
		return nil
	})
	if err := flags.Parse(args); err != nil {
		return options{}, err
	}
	return opts.complete(tag, flags.Args())
}

// complete checks the options against each other and fills what follows from them.
func (o options) complete(tag string, files []string) (options, error) {
	var err error
	if o.tag, err = name.NewTag(tag); err != nil {
		return options{}, fmt.Errorf("-tag: %w", err)
	}
	if o.out == "" {
		return options{}, fmt.Errorf("-o: say which archive to write")
	}
	if len(files) == 0 {
		return options{}, fmt.Errorf("no file: name the binary that the image holds")
	}
	for _, f := range files {
		source, target, ok := strings.Cut(f, ":")
		if !ok {
			target = "/" + path.Base(source)
		}
		if !path.IsAbs(target) || path.Clean(target) != target {
			return options{}, fmt.Errorf("%q: the path in the image must be absolute and clean", f)
		}
		o.files = append(o.files, file{source: source, target: target})
	}
	if o.entrypoint == "" {
		o.entrypoint = o.files[0].target
	}
	return o, nil
}

// run writes the archive beside its place and renames it when it is complete and small enough.
func run(opts options, stdout io.Writer) error {
	image, err := build(opts)
	if err != nil {
		return err
	}
	temporary := opts.out + ".part"
	defer os.Remove(temporary)
	size, err := writeFile(temporary, opts.tag, image)
	if err != nil {
		return fmt.Errorf("write %s: %w", opts.out, err)
	}
	megabytes := float64(size) / 1e6
	if opts.maxMB > 0 && megabytes > opts.maxMB {
		return fmt.Errorf("%s is %.1f MB, more than the %.1f MB of -max: strip the binary (-ldflags '-s -w') or drop a dependency", opts.tag, megabytes, opts.maxMB)
	}
	if err := os.Rename(temporary, opts.out); err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "%s  %.1f MB  %s\n", opts.tag, megabytes, opts.out)
	return err
}
