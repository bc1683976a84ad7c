// Package changes keeps what is remembered of movies up to date by the events of the services that own it.
package changes
