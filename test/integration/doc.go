// Package integration runs the services' real programs beside a real MariaDB and looks at them from outside, as a caller,
// a probe or an operator would.
package integration
