package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"go.yaml.in/yaml/v3"
)

// document is a YAML file taken apart: what it gives for each path, and in which order.
type document struct {
	name   string
	values map[string]given
	order  []string
	report func(path, origin string, value any, problem string)
}

// readFile reads one YAML mapping. Line numbers are kept, so that a mistake can be found.
func readFile(path string, report func(path, origin string, value any, problem string)) (document, error) {
	doc := document{name: filepath.Base(path), values: map[string]given{}, report: report}
	f, err := os.Open(path) //nolint:gosec // the user names the file
	if err != nil {
		return doc, fmt.Errorf("cannot read the configuration: %w", err)
	}
	defer func() { _ = f.Close() }()
	var root yaml.Node
	err = yaml.NewDecoder(f).Decode(&root)
	if errors.Is(err, io.EOF) { // an empty file: all defaults
		return doc, nil
	}
	if err != nil {
		return doc, fmt.Errorf("the configuration %s is not YAML: %w", path, err)
	}
	doc.flatten("", root.Content[0])
	return doc, nil
}

func (d *document) flatten(path string, n *yaml.Node) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	origin := fmt.Sprintf("%s line %d", d.name, n.Line)
	switch {
	case n.Kind == yaml.MappingNode:
		d.mapping(path, n)
	case path == "":
		d.report("", origin, n.Value, "the file is not a mapping of names to values")
	case n.Kind == yaml.SequenceNode:
		d.put(path, given{list: scalars(n), isList: true, origin: origin})
	case n.Tag == "!!null": // `api:` with nothing below it says nothing
	default:
		d.put(path, given{text: n.Value, origin: origin})
	}
}

func (d *document) mapping(path string, n *yaml.Node) {
	if path != "" && len(n.Content) == 0 {
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		d.flatten(join(path, n.Content[i].Value), n.Content[i+1])
	}
}

func (d *document) put(path string, g given) {
	if first, ok := d.values[path]; ok {
		d.report(path, g.origin, g.shown(), "is set twice, first in "+first.origin)
		return
	}
	d.values[path] = g
	d.order = append(d.order, path)
}

func scalars(n *yaml.Node) []string {
	list := make([]string, 0, len(n.Content))
	for _, item := range n.Content {
		list = append(list, item.Value)
	}
	return list
}
