// Package conditions sets status conditions so that equal content never looks like a change.
package conditions
