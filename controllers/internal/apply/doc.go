// Package apply brings child objects to their wanted state by server-side apply, and makes no call for a child
// that already is what was applied last.
package apply
