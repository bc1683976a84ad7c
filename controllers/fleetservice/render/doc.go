// Package render builds the objects that make a service run. Its functions are pure: a spec in, objects out.
package render
