// Package traced shows what a repository of ratings does as spans, whatever it keeps them in.
package traced
