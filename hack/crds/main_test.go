package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

func TestCompact(t *testing.T) {
	const wrapped = `---
kind: CustomResourceDefinition
properties:
  description:
    description: |-
      description is a field
      that is wrapped.

      A second paragraph.
    type: string
    x-kubernetes-validations:
    - message: must be a long sentence that does not fit on one
        line
      rule: 'self == "a: b"'
  steps:
    enum:
    - Pause
    - "2"
    pattern: ^\d+$
`
	const want = `---
kind: CustomResourceDefinition
properties:
  description:
    description: |-
      description is a field that is wrapped.

      A second paragraph.
    type: string
    x-kubernetes-validations: [{message: must be a long sentence that does not fit on one line, rule: 'self == "a: b"'}]
  steps: {enum: [Pause, "2"], pattern: ^\d+$}
`
	got, err := compact([]byte(wrapped))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("compact (-want +got):\n%s", diff)
	}
	again, err := compact(got)
	if diff := cmp.Diff(want, string(again)); err != nil || diff != "" {
		t.Errorf("compact of what is compact = error %v (-want +got):\n%s", err, diff)
	}
}

// TestRewriteLosesNothing: a file says the same afterwards, but for where its sentences are wrapped.
func TestRewriteLosesNothing(t *testing.T) {
	before := []byte("a: [1, 2.50, true, null, 'true', '1']\nb:\n  description: one\n  minimum: 1\n  default: {observedGeneration: -1}\n")
	path := filepath.Join(t.TempDir(), "crd.yaml")
	if err := os.WriteFile(path, before, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := rewrite(path); err != nil {
		t.Fatal(err)
	}
	after, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var was, is any
	if err := yaml.Unmarshal(before, &was); err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(after, &is); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(was, is); diff != "" {
		t.Errorf("rewrite changed the content (-before +after):\n%s", diff)
	}
	if err := rewrite(filepath.Join(t.TempDir(), "absent.yaml")); err == nil {
		t.Error("rewrite of a file that is not there = no error")
	}
}
