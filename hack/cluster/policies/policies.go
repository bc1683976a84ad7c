package policies

import (
	_ "embed"
	"strings"
)

//go:embed consul-service.hcl
var service string

//go:embed consul-operator.hcl
var operator string

//go:embed consul-view.hcl
var view string

// Service is for the pods of one service, by its name in Consul.
func Service(name string) string { return strings.ReplaceAll(service, "@NAME@", name) }

// Operator is for the operator in one namespace.
func Operator(namespace string) string { return strings.ReplaceAll(operator, "@NAMESPACE@", namespace) }

// View is for whoever calls and has no name of its own.
func View() string { return view }
