// Package signals reads the health of revisions: what their pods show, classified by whose fault it is.
package signals
