// Package origin tells from which network address a call came, through REST and through proxies that are trusted.
package origin
