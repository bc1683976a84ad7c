// Package plan decides what to do next for one service, and why. It is a pure function of what was observed: no
// client, no logger, no clock of its own.
package plan
