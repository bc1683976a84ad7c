package config

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"
)

// FileEnv names the environment variable that holds the path of the configuration file.
const FileEnv = "FLEET_CONFIG"

// ErrInvalid is wrapped by the error of a configuration with mistakes in it.
var ErrInvalid = errors.New("the configuration has mistakes")

// Loader reads the settings of one service: first BindFlags, then (after the flags are parsed) Load.
type Loader[C Settings] struct {
	service  string
	defaults C
	flags    *pflag.FlagSet
	file     string
	port     string
}

// NewLoader makes a loader for the service with these defaults.
func NewLoader[C Settings](service string, defaults C) *Loader[C] {
	return &Loader[C]{service: service, defaults: defaults}
}

// BindFlags adds a flag for each setting, named by its path, and the short ones --config and --port.
func (l *Loader[C]) BindFlags(flags *pflag.FlagSet) {
	flags.StringVar(&l.file, "config", "", "YAML file with settings (default $"+FileEnv+")")
	flags.StringVar(&l.port, "port", "", "gRPC port; admin becomes this + 10 and REST this + 100 unless they are given")
	shown := l.defaults
	for _, f := range fields(&shown) {
		flags.String(f.path, f.text(), f.help()+"; $"+envName(l.service, f.path))
	}
	flags.SortFlags = false
	l.flags = flags
}

// Load reads all sources. The error names every mistake, one a line, and wraps [ErrInvalid].
func (l *Loader[C]) Load(lookupEnv func(string) (string, bool)) (C, error) {
	c, _, err := l.read(lookupEnv)
	return c, err
}

// File is the path of the configuration file, or "" if there is none.
func (l *Loader[C]) File(lookupEnv func(string) (string, bool)) string {
	fromEnv, _ := lookupEnv(FileEnv)
	return cmp.Or(l.file, fromEnv)
}

// read returns what was given for each path, too.
func (l *Loader[C]) read(lookupEnv func(string) (string, bool)) (C, map[string]given, error) {
	c := l.defaults
	m := &mistakes{}
	leaves := fields(&c)
	values := map[string]given{}
	if file := l.File(lookupEnv); file != "" {
		doc, err := readFile(file, m.add)
		if err != nil {
			return c, nil, fmt.Errorf("%w: %w", ErrInvalid, err)
		}
		m.unknown(doc, leaves)
		values = doc.values
	}
	l.overlay(values, leaves, lookupEnv, m)
	for _, f := range leaves {
		if g, ok := values[f.path]; ok {
			if problem := f.set(g); problem != "" {
				m.add(f.path, g.origin, g.shown(), problem)
			}
		}
	}
	check("", reflect.ValueOf(c), func(path string, value any, problem string) {
		m.add(path, cmp.Or(values[path].origin, byDefault), value, problem)
	})
	for _, path := range unnamed(c.Base().TLS, leaves) {
		m.add(path, cmp.Or(values[path].origin, byDefault), "", fmt.Sprintf("is empty: with tls.mode %s, name whom to trust there, "+
			"for example spiffe://%s/ns/movies/sa/rating", c.Base().TLS.Mode, c.Base().TLS.TrustDomain))
	}
	return c, values, m.err()
}

// overlay puts the environment over the file, and flags over both.
func (l *Loader[C]) overlay(values map[string]given, leaves []field, lookupEnv func(string) (string, bool), m *mistakes) {
	for _, f := range leaves {
		name := envName(l.service, f.path)
		if text, ok := lookupEnv(name); ok {
			values[f.path] = given{text: text, origin: "environment " + name}
		}
	}
	if l.port != "" {
		l.shift(values, m)
	}
	for _, f := range leaves {
		if flag := l.flags.Lookup(f.path); flag.Changed {
			values[f.path] = given{text: flag.Value.String(), origin: "flag --" + f.path}
		}
	}
}

func (l *Loader[C]) shift(values map[string]given, m *mistakes) {
	port, err := strconv.Atoi(l.port)
	if err != nil || port < 0 || port > 65535-100 {
		m.add("port", "flag --port", l.port, "is not a port from 1 to 65435, or 0 for any free ones")
		return
	}
	api, admin, rest := Shift(Port(port))
	for path, p := range map[string]Port{"api.port": api, "admin.port": admin, "rest.port": rest} {
		values[path] = given{text: fmt.Sprint(p), origin: "flag --port"}
	}
}

// mistakes collects what is wrong, so that it is reported at once.
type mistakes struct {
	list []string
}

func (m *mistakes) add(path, origin string, value any, problem string) {
	line := fmt.Sprintf("%s: %q %s (%s)", path, fmt.Sprint(value), problem, origin)
	if !slices.Contains(m.list, line) {
		m.list = append(m.list, line)
	}
}

// unknown reports settings of the file that the service does not have: a typing mistake must not be ignored.
func (m *mistakes) unknown(doc document, leaves []field) {
	for _, path := range doc.order {
		if slices.ContainsFunc(leaves, func(f field) bool { return f.path == path }) {
			continue
		}
		problem := "there is no such setting"
		if near := nearest(path, leaves); near != "" {
			problem += "; did you mean " + near + "?"
		}
		m.add(path, doc.values[path].origin, doc.values[path].shown(), problem)
	}
}

func (m *mistakes) err() error {
	if len(m.list) == 0 {
		return nil
	}
	return fmt.Errorf("%w:\n  %s", ErrInvalid, strings.Join(m.list, "\n  "))
}

// nearest is the known path with the fewest changed letters, if they are few.
func nearest(path string, leaves []field) string {
	best, least := "", 1+len(path)/3
	for _, f := range leaves {
		if d := distance(path, f.path); d < least {
			best, least = f.path, d
		}
	}
	return best
}

// distance is Levenshtein's: the fewest insertions, deletions and replacements that turn a into b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
