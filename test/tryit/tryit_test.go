//go:build integration

package tryit_test

import "testing"

// TestTryIt does all that docs/try-it.md shows, in a copy of the repository, and compares what is printed. Spaces and ends
// of lines may differ: JSON has no fixed ones.
func TestTryIt(t *testing.T) {
	if compared := follow(t, "try-it.md", copied(t)); compared < 5 {
		t.Errorf("%d outputs were compared, want at least 5: has the form of the document changed?", compared)
	}
}
