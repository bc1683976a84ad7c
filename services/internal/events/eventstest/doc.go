// Package eventstest is the contract of publishers and subscribers: every implementation passes the same tests.
package eventstest
