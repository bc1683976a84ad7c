package flags

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"
)

// parse reads a YAML mapping of names to true or false. Its error names every mistake. Text that is cut short, as by
// whoever writes the file just now, is one: only {} says that no flag is set.
func parse(text string) (map[string]bool, error) {
	var root yaml.Node
	err := yaml.NewDecoder(strings.NewReader(text)).Decode(&root)
	switch {
	case errors.Is(err, io.EOF):
		return nil, errors.New("it holds nothing: write {} to set no flag")
	case err != nil:
		return nil, fmt.Errorf("it is not YAML: %w", err)
	case root.Content[0].Kind != yaml.MappingNode:
		return nil, errors.New("it is not a mapping of flags to true or false, such as {recommendations: true}")
	}
	flags, lines := map[string]bool{}, map[string]int{}
	var mistakes []string
	for pairs := root.Content[0].Content; len(pairs) > 1; pairs = pairs[2:] {
		name, value := pairs[0], pairs[1]
		if first, ok := lines[name.Value]; ok {
			mistakes = append(mistakes, fmt.Sprintf("%s in line %d is set in line %d already", name.Value, name.Line, first))
			continue
		}
		lines[name.Value] = name.Line
		on, problem := boolean(value)
		if problem != "" {
			mistakes = append(mistakes, fmt.Sprintf("%s in line %d %s: write true or false", name.Value, name.Line, problem))
		}
		flags[name.Value] = on
	}
	if len(mistakes) > 0 {
		return nil, errors.New(strings.Join(mistakes, "; "))
	}
	return flags, nil
}

func boolean(n *yaml.Node) (on bool, problem string) {
	if n.Kind != yaml.ScalarNode {
		return false, "is a list or a mapping"
	}
	if n.ShortTag() != "!!bool" || n.Decode(&on) != nil {
		return false, fmt.Sprintf("is %q", n.Value)
	}
	return on, ""
}
