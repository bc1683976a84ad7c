// Package traffic tells callers which revision to use. One file is one provider; a provider reads back what it wrote.
package traffic
