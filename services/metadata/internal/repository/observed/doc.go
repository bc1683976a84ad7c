// Package observed shows what a repository of metadata does as spans, whatever it keeps them in.
package observed
