// Package deadletter is the form in which events that could not be taken wait on a topic of their own for a person.
package deadletter
