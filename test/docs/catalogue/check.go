package catalogue

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// Shown is what a program showed: families by name.
type Shown map[string]*dto.MetricFamily

// Parse reads what /metrics answers.
func Parse(text io.Reader) (Shown, error) {
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(text)
	return families, err
}

// Add adds what another process of the same program showed.
func (s Shown) Add(other Shown) {
	for name, family := range other {
		if s[name] == nil {
			s[name] = family
			continue
		}
		s[name].Metric = append(s[name].Metric, family.GetMetric()...)
	}
}

// With are the series that hold the text in a label's value.
func (s Shown) With(value string) []string {
	var all []string
	for name, family := range s {
		for _, m := range family.GetMetric() {
			if slices.ContainsFunc(m.GetLabel(), func(l *dto.LabelPair) bool { return strings.Contains(l.GetValue(), value) }) {
				all = append(all, name+"{"+text(m.GetLabel())+"}")
			}
		}
	}
	return all
}

func text(labels []*dto.LabelPair) string {
	var all []string
	for _, l := range labels {
		all = append(all, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
	}
	slices.Sort(all)
	return strings.Join(all, ",")
}

// Missing are the problems of a document that has metrics which the program did not show.
func (c *Catalogue) Missing(program string, shown Shown) []string {
	var problems []string
	for _, m := range c.Of(program) {
		if shown[m.Name] == nil {
			problems = append(problems, fmt.Sprintf("%s is documented and not shown", m.Name))
		}
	}
	return append(problems, c.MissingOfLibraries(program, shown)...)
}

// MissingOfLibraries are those among them that concern families of libraries.
func (c *Catalogue) MissingOfLibraries(program string, shown Shown) []string {
	var problems []string
	for _, f := range c.families {
		if slices.Contains(f.Shown, program) && !slices.ContainsFunc(slices.Collect(maps.Keys(shown)), f.holds) {
			problems = append(problems, fmt.Sprintf("%s is documented and nothing of it is shown", f.Name))
		}
	}
	return problems
}

// Check finds what the program showed otherwise than the document says: metrics, types, labels and their values.
func (c *Catalogue) Check(program string, shown Shown) []string {
	var problems []string
	for _, name := range slices.Sorted(maps.Keys(shown)) {
		m, ok := c.metrics[name]
		switch {
		case !ok && slices.ContainsFunc(c.families, func(f Metric) bool { return f.holds(name) && slices.Contains(f.Shown, program) }):
		case !ok || !slices.Contains(m.Shown, program):
			problems = append(problems, fmt.Sprintf("%s is shown and not documented for this program", name))
		default:
			problems = append(problems, c.compare(m, shown[name])...)
		}
	}
	return slices.Compact(problems)
}

func (m Metric) holds(name string) bool {
	return strings.HasPrefix(name, strings.TrimSuffix(m.Name, "*"))
}

func (c *Catalogue) compare(m Metric, family *dto.MetricFamily) []string {
	var problems []string
	if got := strings.ToLower(family.GetType().String()); got != m.Type {
		problems = append(problems, fmt.Sprintf("%s is a %s, and a %s in the document", m.Name, got, m.Type))
	}
	for _, series := range family.GetMetric() {
		seen := map[string]bool{}
		for _, l := range series.GetLabel() {
			seen[l.GetName()] = true
			if problem := c.valueProblem(m, l); problem != "" {
				problems = append(problems, problem)
			}
		}
		for name := range m.Labels {
			if !seen[name] {
				problems = append(problems, fmt.Sprintf("%s has no label %s, which is documented", m.Name, name))
			}
		}
	}
	slices.Sort(problems)
	return slices.Compact(problems)
}

func (c *Catalogue) valueProblem(m Metric, l *dto.LabelPair) string {
	values, ok := m.Labels[l.GetName()]
	if !ok {
		return fmt.Sprintf("%s has the label %s, which is not documented", m.Name, l.GetName())
	}
	if slices.ContainsFunc(values, func(v string) bool { return c.allows(v, l.GetValue()) }) {
		return ""
	}
	return fmt.Sprintf("%s{%s=%q}: the document has the values %s", m.Name, l.GetName(), l.GetValue(), strings.Join(values, ", "))
}

func (c *Catalogue) allows(documented, value string) bool {
	if name, ok := kindName(documented); ok {
		return c.kinds[name].MatchString(value)
	}
	return documented == value
}
