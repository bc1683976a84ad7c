package config

import (
	"cmp"
	"reflect"
	"slices"
	"strings"
)

// byDefault is the origin of what nobody has set.
const byDefault = "default"

// Setting is one setting as it is in force.
type Setting struct {
	Path   string
	Value  string
	Origin string // default, file and line, environment variable or flag
}

// Show lists all settings with where they come from. Its errors are those of Load.
func (l *Loader[C]) Show(lookupEnv func(string) (string, bool)) ([]Setting, error) {
	c, values, err := l.read(lookupEnv)
	if err != nil {
		return nil, err
	}
	var list []Setting
	for _, f := range fields(&c) {
		list = append(list, Setting{Path: f.path, Value: f.text(), Origin: cmp.Or(values[f.path].origin, byDefault)})
	}
	return list, nil
}

// Bindings are the bindings that the settings cannot do without: a field tagged `binding:"mysql"` whose value is mysql
// needs the binding of that name, one tagged `binding:"tls,server,mutual"` needs tls if its value is server or mutual.
func Bindings[C Settings](c C) []string {
	var list []string
	for _, f := range fields(&c) {
		name, values, several := strings.Cut(f.tag.Get("binding"), ",")
		if !several {
			values = name
		}
		if name != "" && slices.Contains(strings.Split(values, ","), f.text()) {
			list = append(list, name)
		}
	}
	return list
}

// Changes are the paths whose values differ. Those that act at once are tagged `live:"true"`; the others wait for a restart.
func Changes[C Settings](from, to C) (live, waiting []string) {
	before, after := fields(&from), fields(&to)
	for i, f := range after {
		switch {
		case reflect.DeepEqual(before[i].value.Interface(), f.value.Interface()):
		case f.tag.Get("live") == "true":
			live = append(live, f.path)
		default:
			waiting = append(waiting, f.path)
		}
	}
	return live, waiting
}
