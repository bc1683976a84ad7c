// Package locktest holds every way of locking to the same promises.
package locktest
