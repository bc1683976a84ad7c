package auth

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// Rule says who may call a method.
type Rule struct {
	needsToken bool
	role       string
	userField  protoreflect.Name // of the request; empty if it names no user
}

// Public is for everybody. A token that comes along is not looked at, so a public method works while auth is away.
func Public() Rule { return Rule{} }

// Authenticated is for everybody with a token.
func Authenticated() Rule { return Rule{needsToken: true} }

// Role is for those with a token that has the role.
func Role(name string) Rule { return Rule{needsToken: true, role: name} }

// OwnUser is for everybody with a token, about themselves: the field of the request that names the user may be empty, and
// is then filled in, but it may name nobody else.
func OwnUser(field string) Rule { return Rule{needsToken: true, userField: protoreflect.Name(field)} }

// Policy is the rule of each method, by its full name: /package.Service/Method.
type Policy map[string]Rule

// Guards tells whether there is a method that needs a token.
func (p Policy) Guards() bool {
	for _, rule := range p {
		if rule.needsToken {
			return true
		}
	}
	return false
}

// outside are services that every server has for those who run it, and that tell nothing about users.
func outside(method string) bool {
	return strings.HasPrefix(method, "/grpc.health.") || strings.HasPrefix(method, "/grpc.reflection.")
}

// Covers is an error that names each method of the server without a rule, each rule without a method, and each rule that
// does not fit its method: a new method must not be open, or shut, because nobody thought of it.
func (p Policy) Covers(services map[string]grpc.ServiceInfo) error {
	methods := map[string]bool{}
	for service, info := range services {
		for _, m := range info.Methods {
			if full := "/" + service + "/" + m.Name; !outside(full) {
				methods[full] = true
			}
		}
	}
	var wrong []string
	for m := range methods {
		if _, ok := p[m]; !ok {
			wrong = append(wrong, m+" has no rule")
		}
	}
	for m, rule := range p {
		if !methods[m] {
			wrong = append(wrong, m+" has a rule and is not served")
		} else if rule.userField != "" && !namesUser(m, rule.userField) {
			wrong = append(wrong, fmt.Sprintf("%s has no field %s in a single request", m, rule.userField))
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	slices.Sort(wrong)
	return fmt.Errorf("the policy is not whole: %s", strings.Join(wrong, "; "))
}

// namesUser tells whether the method takes one message with this field, a string.
func namesUser(method string, field protoreflect.Name) bool {
	name := strings.ReplaceAll(strings.TrimPrefix(method, "/"), "/", ".")
	found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(name))
	if err != nil {
		return false
	}
	m, ok := found.(protoreflect.MethodDescriptor)
	if !ok || m.IsStreamingClient() {
		return false
	}
	f := m.Input().Fields().ByName(field)
	return f != nil && f.Kind() == protoreflect.StringKind && f.Cardinality() != protoreflect.Repeated
}
