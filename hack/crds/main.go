package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"

	"go.yaml.in/yaml/v3"
)

func main() {
	for _, path := range os.Args[1:] {
		if err := rewrite(path); err != nil {
			_, _ = fmt.Fprintf(os.Stderr, "crds: %s: %v\n", path, err)
			os.Exit(1)
		}
	}
}

func rewrite(path string) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	short, err := compact(raw)
	if err != nil {
		return err
	}
	return os.WriteFile(path, short, 0o600) // an existing file keeps its mode
}

// compact is a definition with a line for each field: sentences are not wrapped, and what is short stands on one line.
func compact(raw []byte) ([]byte, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(raw, &document); err != nil {
		return nil, err
	}
	flatten(&document)
	out := bytes.NewBufferString("---\n")
	encoder := yaml.NewEncoder(out)
	encoder.SetIndent(2)
	encoder.CompactSeqIndent()
	if err := encoder.Encode(&document); err != nil {
		return nil, err
	}
	return out.Bytes(), encoder.Close()
}

// short is how long, in bytes, a line with something inside something may be. What holds words only is on one line always.
const short = 300

// flatten puts on one line what may stand there, and returns how long it is.
func flatten(n *yaml.Node) int {
	size, simple, inline := 2, true, true
	for i, child := range n.Content {
		length := flatten(child) + 2
		size += length
		simple = simple && child.Kind == yaml.ScalarNode
		inline = inline && (child.Kind == yaml.ScalarNode || child.Style == yaml.FlowStyle)
		if n.Kind == yaml.MappingNode && i%2 == 1 && n.Content[i-1].Value == "description" && child.Kind == yaml.ScalarNode {
			child.Value, child.Style = unwrap(child.Value), 0
			paragraphs := strings.Contains(child.Value, "\n")
			simple, inline = simple && !paragraphs, inline && !paragraphs
		}
	}
	if n.Kind == yaml.ScalarNode {
		return len(n.Value)
	}
	if n.Kind != yaml.DocumentNode && (simple || (inline && size <= short)) {
		n.Style = yaml.FlowStyle
	}
	return size
}

// unwrap joins the lines of each paragraph: whoever shows them wraps them again.
func unwrap(text string) string {
	paragraphs := strings.Split(text, "\n\n")
	for i, p := range paragraphs {
		paragraphs[i] = strings.Join(strings.Fields(p), " ")
	}
	return strings.Join(paragraphs, "\n\n")
}
