// Package binding reads connection facts and credentials from directories in the Service Binding layout: one directory a binding, one file a key.
package binding
