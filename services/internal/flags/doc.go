// Package flags turns features of a service on and off while it runs, by OpenFeature: flags come from a file and a key.
package flags
