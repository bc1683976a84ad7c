// Package limits keeps a server from doing more than it can, and a caller from taking more than its part.
package limits
