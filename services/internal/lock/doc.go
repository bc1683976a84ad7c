// Package lock lets one process of many do a piece of work, and ends the work when that can no longer be promised.
package lock
