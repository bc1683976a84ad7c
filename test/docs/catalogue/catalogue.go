package catalogue

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
)

// Catalogue is what the document says.
type Catalogue struct {
	metrics   map[string]Metric
	families  []Metric // of libraries: their names end in *
	kinds     map[string]*regexp.Regexp
	kindsUsed map[string]bool
}

// Metric is one row.
type Metric struct {
	Name   string
	Type   string              // counter, gauge, histogram, summary; empty for a family
	Labels map[string][]string // values that there can be, *kind* for one of a kind
	Shown  []string            // by these programs
}

// Values of a cell that has none.
const none = "–"

var (
	row   = regexp.MustCompile("(?m)^\\| `([a-z_]+\\*?)` \\| ([^|]*) \\| ([^|]*) \\| ([^|]*) \\| [^|]+ \\|$")
	kind  = regexp.MustCompile("(?m)^\\| \\*([a-z]+)\\* \\| `([^|]+)` \\| [^|]+ \\|$")
	label = regexp.MustCompile("^`([a-z_]+)` \\(([^)]+)\\)$")
)

// Read reads the document. Its mistakes are told all at once.
func Read(path string) (*Catalogue, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	c, err := parse(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

func parse(text string) (*Catalogue, error) {
	c := &Catalogue{metrics: map[string]Metric{}, kinds: map[string]*regexp.Regexp{}, kindsUsed: map[string]bool{}}
	var errs []error
	for _, m := range kind.FindAllStringSubmatch(text, -1) {
		pattern, err := regexp.Compile("^(?:" + m[2] + ")$")
		errs = append(errs, err)
		c.kinds[m[1]] = pattern
	}
	for _, cells := range row.FindAllStringSubmatch(text, -1) {
		errs = append(errs, c.add(cells[1:]))
	}
	for _, line := range strings.Split(text, "\n") {
		if strings.HasPrefix(line, "| `") && !row.MatchString(line) {
			errs = append(errs, fmt.Errorf("not a row of metric, type, labels, programs and meaning: %s", line))
		}
	}
	for name := range c.kinds {
		if !c.kindsUsed[name] {
			errs = append(errs, fmt.Errorf("no label has values of the kind %s", name))
		}
	}
	if len(c.metrics) == 0 {
		errs = append(errs, errors.New("it has no rows of metrics"))
	}
	return c, errors.Join(errs...)
}

func (c *Catalogue) add(cells []string) error {
	m := Metric{Name: cells[0], Type: cells[1], Labels: map[string][]string{}, Shown: list(cells[3])}
	if _, ok := c.metrics[m.Name]; ok {
		return fmt.Errorf("%s has two rows", m.Name)
	}
	if strings.HasSuffix(m.Name, "*") {
		c.families = append(c.families, m)
		return nil
	}
	c.metrics[m.Name] = m
	if cells[2] == none {
		return nil
	}
	for part := range strings.SplitSeq(cells[2], "), ") {
		found := label.FindStringSubmatch(strings.TrimSuffix(part, ")") + ")")
		if found == nil {
			return fmt.Errorf("%s: labels are written `name` (value, value), got %s", m.Name, part)
		}
		m.Labels[found[1]] = list(found[2])
		if err := c.bounded(found[2]); err != nil {
			return fmt.Errorf("%s{%s}: %w", m.Name, found[1], err)
		}
	}
	return nil
}

// bounded wants kinds of values that the document explains.
func (c *Catalogue) bounded(values string) error {
	for _, value := range list(values) {
		name, ok := kindName(value)
		if !ok {
			continue
		}
		if c.kinds[name] == nil {
			return fmt.Errorf("no row says what bounds values of the kind %s", name)
		}
		c.kindsUsed[name] = true
	}
	return nil
}

// kindName is that of a value such as *revision*.
func kindName(value string) (name string, ok bool) {
	if len(value) < 3 || value[0] != '*' || value[len(value)-1] != '*' {
		return "", false
	}
	return value[1 : len(value)-1], true
}

func list(cell string) []string {
	var all []string
	for value := range strings.SplitSeq(cell, ",") {
		all = append(all, strings.TrimSpace(value))
	}
	return all
}

// Of are the metrics that the program shows by the document, families of libraries aside.
func (c *Catalogue) Of(program string) []Metric {
	var all []Metric
	for _, m := range c.metrics {
		if slices.Contains(m.Shown, program) {
			all = append(all, m)
		}
	}
	slices.SortFunc(all, func(a, b Metric) int { return strings.Compare(a.Name, b.Name) })
	return all
}
