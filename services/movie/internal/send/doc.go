// Package send uploads a file to movie, over as many streams as it takes.
package send
