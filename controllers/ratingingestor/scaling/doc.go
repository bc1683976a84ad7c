// Package scaling decides how many consumers a topic needs, from what is produced, what waits and what one was seen to take.
package scaling
