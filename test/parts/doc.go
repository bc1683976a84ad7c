// Package parts starts the real servers that tests need, each in a directory of its own and on a loopback port.
package parts
