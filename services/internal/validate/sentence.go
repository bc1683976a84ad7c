package validate

import (
	"fmt"
	"unicode/utf8"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

// maxShown bounds how much of a value is sent back, in characters.
const maxShown = 60

// describe is what is wrong and what is right. Rules that have no sentence here speak in protovalidate's own words.
func describe(v *protovalidate.Violation) string {
	switch rule := v.Proto.GetRuleId(); rule {
	case "required":
		return "is missing"
	case "string.min_len", "string.max_len":
		return amount(rule[len("string."):], utf8.RuneCountInString(v.FieldValue.String()), "character", v.RuleValue)
	case "bytes.min_len", "bytes.max_len":
		return amount(rule[len("bytes."):], len(v.FieldValue.Bytes()), "byte", v.RuleValue)
	case "repeated.min_items", "repeated.max_items":
		return amount(rule[len("repeated."):], v.FieldValue.List().Len(), "item", v.RuleValue)
	case "string.pattern":
		return shown(v) + ", want " + words(v.RuleValue.String())
	case "int32.gte_lte", "int64.gte_lte", "uint32.gte_lte", "uint64.gte_lte", "double.gte_lte":
		if least, most, ok := bounds(v); ok {
			return fmt.Sprintf("%s, want %v to %v", shown(v), least, most)
		}
	}
	if v.FieldDescriptor == nil || v.FieldDescriptor.Message() != nil || v.FieldDescriptor.IsList() {
		return v.Proto.GetMessage()
	}
	return shown(v) + ", " + v.Proto.GetMessage()
}

// amount compares how much there is with the rule: min_… or max_….
func amount(rule string, have int, unit string, limit protoreflect.Value) string {
	want := "at most"
	if rule[:len("min")] == "min" {
		want = "at least"
	}
	if have == 0 && limit.String() == "1" {
		return fmt.Sprintf("is empty, want %s 1 %s", want, unit)
	}
	return fmt.Sprintf("has %d %ss, want %s %v", have, unit, want, limit)
}

// words says a pattern in words, if it is one of the fleet's.
func words(pattern string) string {
	switch pattern {
	case "^[A-Za-z0-9][-A-Za-z0-9_.:~]{0,127}$":
		return "a letter or digit, then at most 127 letters, digits and - _ . : ~"
	case "^[A-Za-z0-9][-A-Za-z0-9_.:~@+]{0,127}$":
		return "a letter or digit, then at most 127 letters, digits and - _ . : ~ @ +"
	case "^[A-Za-z0-9][-A-Za-z0-9_]{15,127}$":
		return "16 to 128 letters, digits and - _, the first a letter or digit"
	case `^[^/\\\x00-\x1f\x7f-\x9f\x{061c}\x{200e}\x{200f}\x{2028}-\x{202e}\x{2066}-\x{2069}]+$`:
		return "a name without slashes, backslashes, control characters and marks of writing direction"
	case "^([0-9a-f]{64})?$":
		return "64 lower-case hexadecimal digits, or nothing"
	case "^sha256-[0-9a-f]{64}$":
		return "sha256- and 64 lower-case hexadecimal digits"
	default:
		return "what matches " + pattern
	}
}

// shown is the value, cut, and left out where the proto file says that it is a secret (debug_redact).
func shown(v *protovalidate.Violation) string {
	if v.FieldDescriptor == nil {
		return "is not well formed" // nobody knows whether it is a secret
	}
	if options, ok := v.FieldDescriptor.Options().(*descriptorpb.FieldOptions); ok && options.GetDebugRedact() {
		return "is not well formed"
	}
	text, isText := v.FieldValue.Interface().(string)
	if !isText {
		return fmt.Sprintf("is %v", v.FieldValue)
	}
	if text == "" {
		return "is empty"
	}
	if runes := []rune(text[:min(len(text), 4*maxShown)]); len(runes) > maxShown {
		text = string(runes[:maxShown]) + "…"
	}
	return fmt.Sprintf("is %q", text)
}

// fieldAt is the field that a path below a message ends at; nil if the path is of no field.
func fieldAt(m protoreflect.MessageDescriptor, path []*validate.FieldPathElement) protoreflect.FieldDescriptor {
	var field protoreflect.FieldDescriptor
	for _, e := range path {
		if m == nil {
			return nil
		}
		if field = m.Fields().ByName(protoreflect.Name(e.GetFieldName())); field == nil {
			return nil
		}
		m = field.Message()
	}
	return field
}

// bounds are the two ends of a range rule. The violation names only the lower one, so both are read where it was found:
// the path int32, gte, or repeated, items, int32, gte for the entries of a list.
func bounds(v *protovalidate.Violation) (least, most protoreflect.Value, ok bool) {
	rules, err := protovalidate.ResolveFieldRules(v.FieldDescriptor)
	if err != nil {
		return least, most, false
	}
	at := rules.ProtoReflect()
	elements := v.Proto.GetRule().GetElements()
	for _, e := range elements[:len(elements)-1] {
		if at, ok = step(at, e); !ok {
			return least, most, false
		}
	}
	lower, upper := at.Descriptor().Fields().ByName("gte"), at.Descriptor().Fields().ByName("lte")
	if lower == nil || upper == nil {
		return least, most, false
	}
	return at.Get(lower), at.Get(upper), true
}

func step(at protoreflect.Message, e *validate.FieldPathElement) (protoreflect.Message, bool) {
	field := at.Descriptor().Fields().ByName(protoreflect.Name(e.GetFieldName()))
	if field == nil || field.Message() == nil {
		return at, false
	}
	return at.Get(field).Message(), true
}
