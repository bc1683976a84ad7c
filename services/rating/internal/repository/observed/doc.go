// Package observed shows what a repository of ratings does as spans, and counts writes, whatever it keeps them in.
package observed
