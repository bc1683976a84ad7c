// Package identity gives a service its certificate, live from files, and tells services apart by the names in theirs.
package identity
