// Package events is what a service tells others about changes of its records: the events, and the ways they travel.
package events
