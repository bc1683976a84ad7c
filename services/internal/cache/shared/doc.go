// Package shared keeps what one instance read where all others find it: in Redis, whose absence costs nobody an answer.
package shared
