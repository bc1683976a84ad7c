// Package lastknown wraps a gateway: when its service fails, the last value that it gave is given again, marked stale.
package lastknown
