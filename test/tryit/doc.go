// Package tryit does what docs/try-it.md tells a newcomer to do.
package tryit
