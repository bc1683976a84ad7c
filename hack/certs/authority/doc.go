// Package authority issues certificates whose authority is a file: for one machine, never for a cluster.
package authority
