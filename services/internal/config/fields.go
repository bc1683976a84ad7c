package config

import (
	"cmp"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// field is one setting: a leaf of the configuration struct.
type field struct {
	path  string // for example shutdown.deadline
	value reflect.Value
	tag   reflect.StructTag
}

// fields lists the leaves of the struct that v points to, in the order they are written in.
func fields(v any) []field {
	return appendFields(nil, "", reflect.ValueOf(v).Elem())
}

func appendFields(list []field, prefix string, v reflect.Value) []field {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		path := join(prefix, f.Tag.Get("config"))
		if v.Field(i).Kind() == reflect.Struct {
			list = appendFields(list, path, v.Field(i))
			continue
		}
		list = append(list, field{path: path, value: v.Field(i), tag: f.Tag})
	}
	return list
}

// join adds the name in a config tag to a path; an inlined struct adds nothing.
func join(prefix, tag string) string {
	name, _, _ := strings.Cut(tag, ",")
	switch {
	case name == "":
		return prefix
	case prefix == "":
		return name
	}
	return prefix + "." + name
}

// check asks every part of the configuration that has rules of its own. The rules of an embedded struct are asked
// twice, through its owner too; the collector drops what it has heard already.
func check(prefix string, v reflect.Value, report Report) {
	if v.Kind() != reflect.Struct {
		return
	}
	if part, ok := v.Interface().(Checker); ok {
		part.Check(func(path string, value any, problem string) { report(join(prefix, path), value, problem) })
	}
	for i := range v.NumField() {
		check(join(prefix, v.Type().Field(i).Tag.Get("config")), v.Field(i), report)
	}
}

// envName is the variable of a setting: rating and recordTypes give RATING_RECORD_TYPES.
func envName(service, path string) string {
	var b strings.Builder
	b.WriteString(strings.ToUpper(strings.ReplaceAll(service, "-", "_")) + "_")
	for _, r := range path {
		switch {
		case r == '.':
			b.WriteByte('_')
		case unicode.IsUpper(r):
			b.WriteString("_" + string(r))
		default:
			b.WriteRune(unicode.ToUpper(r))
		}
	}
	return b.String()
}

// given is what a file, a variable or a flag says about one setting: a text, or a list of texts.
type given struct {
	text   string
	list   []string
	isList bool
	origin string // for example "rating.yaml line 7", for messages
}

func (g given) shown() any {
	if g.isList {
		return g.list
	}
	return g.text
}

// set gives the field a value, or says what is wrong with it.
func (f field) set(g given) string {
	if list, ok := f.value.Addr().Interface().(*[]string); ok {
		return setList(list, g)
	}
	if g.isList {
		return "is a list where one value is wanted"
	}
	if d, ok := f.value.Addr().Interface().(*time.Duration); ok {
		return setDuration(d, g.text)
	}
	if b, ok := f.value.Addr().Interface().(*Bytes); ok {
		return setBytes(b, g.text)
	}
	switch f.value.Kind() {
	case reflect.String:
		return f.setString(g.text)
	case reflect.Bool:
		return f.setBool(g.text)
	case reflect.Int:
		return f.setInt(g.text)
	case reflect.Float64:
		return f.setFloat(g.text)
	default:
		panic(fmt.Sprintf("config: field %s has the unsupported type %s", f.path, f.value.Type()))
	}
}

func (f field) setString(text string) string {
	if enum := f.tag.Get("enum"); enum != "" && !slices.Contains(strings.Split(enum, ","), text) {
		return "is not one of " + strings.ReplaceAll(enum, ",", ", ")
	}
	f.value.SetString(text)
	return ""
}

func (f field) setBool(text string) string {
	b, err := strconv.ParseBool(text)
	if err != nil {
		return "is neither true nor false"
	}
	f.value.SetBool(b)
	return ""
}

func (f field) setInt(text string) string {
	n, err := strconv.Atoi(text)
	if err != nil {
		return "is not a whole number"
	}
	if _, isPort := f.value.Interface().(Port); isPort && (n < 0 || n > 65535) {
		return "is not a port: use 1 to 65535, or 0 for any free one"
	}
	f.value.SetInt(int64(n))
	return ""
}

func (f field) setFloat(text string) string {
	x, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
		return "is not a number"
	}
	f.value.SetFloat(x)
	return ""
}

func setDuration(d *time.Duration, text string) string {
	parsed, err := time.ParseDuration(text)
	if err != nil {
		return "is not a duration: write a number and a unit, for example 500ms, 2s or 1m"
	}
	*d = parsed
	return ""
}

func setList(list *[]string, g given) string {
	items := g.list
	if !g.isList {
		items = strings.Split(g.text, ",")
	}
	if slices.ContainsFunc(items, func(item string) bool { return strings.TrimSpace(item) == "" }) {
		return "has an empty entry"
	}
	*list = items
	return ""
}

func (f field) help() string {
	text := cmp.Or(f.tag.Get("help"), f.path)
	if enum := f.tag.Get("enum"); enum != "" {
		text += " (" + strings.ReplaceAll(enum, ",", ", ") + ")"
	}
	if f.tag.Get("live") == "true" {
		text += "; a change of the file acts at once"
	}
	return text
}

// text is the field's value as a flag or variable would write it.
func (f field) text() string {
	if list, ok := f.value.Interface().([]string); ok {
		return strings.Join(list, ",")
	}
	return fmt.Sprint(f.value.Interface())
}
