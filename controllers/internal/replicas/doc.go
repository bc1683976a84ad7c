// Package replicas keeps the number of a service's pods where nobody who wrote the resource names it.
package replicas
