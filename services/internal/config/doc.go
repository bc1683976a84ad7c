// Package config reads a service's settings: flags over environment over one YAML file over defaults that run on a laptop.
package config
