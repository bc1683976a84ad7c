// Package lastknown answers with what was seen before when a dependency fails: reads fail open, marked stale.
package lastknown
